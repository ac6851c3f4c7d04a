import { type CanActivate, type ExecutionContext, Injectable, UnauthorizedException } from "@nestjs/common";
import { JwtService } from "@nestjs/jwt";
import type { Request } from "express";

import type { AccessToken } from "./tokens.service.js";

export type SignedIn = Request & { token: AccessToken };

/** Reads the access token from its cookie. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(private readonly jwt: JwtService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<SignedIn>();
    try {
      request.token = await this.jwt.verifyAsync<AccessToken>(request.cookies.access_token ?? "");
    } catch {
      throw new UnauthorizedException();
    }
    return true;
  }
}
