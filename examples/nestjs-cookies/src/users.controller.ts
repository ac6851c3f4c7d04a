import { Controller, Get, NotFoundException, Req, UseGuards } from "@nestjs/common";

import { AccessGuard, type SignedIn } from "./access.guard.js";
import { USERS } from "./users.js";

@Controller("users")
@UseGuards(AccessGuard)
export class UsersController {
  @Get("me")
  me(@Req() request: SignedIn) {
    const user = USERS.find((user) => user.id === request.token.sub);
    if (!user) throw new NotFoundException();
    const { password: _, ...profile } = user;
    return profile;
  }
}
