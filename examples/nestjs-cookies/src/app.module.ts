import { Module } from "@nestjs/common";
import { JwtModule } from "@nestjs/jwt";

import { AuthController } from "./auth.controller.js";
import { OrdersController } from "./orders.controller.js";
import { TokensService } from "./tokens.service.js";
import { UsersController } from "./users.controller.js";

@Module({
  imports: [JwtModule.register({ secret: process.env.JWT_SECRET ?? "development-only, never deploy this secret" })],
  controllers: [AuthController, UsersController, OrdersController],
  providers: [TokensService],
})
export class AppModule {}
