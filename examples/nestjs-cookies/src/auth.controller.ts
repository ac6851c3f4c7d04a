import { Body, Controller, HttpCode, Post, Req, Res, UseGuards } from "@nestjs/common";
import type { Request, Response } from "express";

import { AccessGuard, type SignedIn } from "./access.guard.js";
import { ACCESS_SECONDS, REFRESH_SECONDS, type Tokens, TokensService } from "./tokens.service.js";

const REFRESH_PATH = "/api/auth/refresh";

@Controller("auth")
export class AuthController {
  constructor(private readonly tokens: TokensService) {}

  @Post("login")
  @HttpCode(204)
  async login(@Body() body: Record<string, string>, @Res({ passthrough: true }) response: Response) {
    const user = this.tokens.user(body.email ?? "", body.password ?? "");
    setCookies(response, await this.tokens.login(user));
  }

  @Post("refresh")
  @HttpCode(204)
  async refresh(@Req() request: Request, @Res({ passthrough: true }) response: Response) {
    setCookies(response, await this.tokens.refresh(request.cookies.refresh_token ?? ""));
  }

  @Post("logout")
  @HttpCode(204)
  @UseGuards(AccessGuard)
  logout(@Req() request: SignedIn, @Res({ passthrough: true }) response: Response) {
    this.tokens.logout(request.token);
    response.clearCookie("access_token").clearCookie("refresh_token", { path: REFRESH_PATH });
  }
}

function setCookies(response: Response, { access, refresh }: Tokens) {
  response.cookie("access_token", access, { httpOnly: true, maxAge: ACCESS_SECONDS * 1000 });
  response.cookie("refresh_token", refresh, { httpOnly: true, maxAge: REFRESH_SECONDS * 1000, path: REFRESH_PATH });
}
