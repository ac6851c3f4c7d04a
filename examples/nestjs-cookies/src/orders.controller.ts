import { Controller, Get, Req, UseGuards } from "@nestjs/common";

import { AccessGuard, type SignedIn } from "./access.guard.js";

@Controller("orders")
@UseGuards(AccessGuard)
export class OrdersController {
  /** The orders, and what the API saw of the request. */
  @Get()
  orders(@Req() request: SignedIn) {
    const { sub, generation } = request.token;
    return { orders: [`order of ${sub}`], generation, cookies: Object.keys(request.cookies) };
  }
}
