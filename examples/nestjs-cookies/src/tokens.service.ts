import { randomUUID } from "node:crypto";

import { Injectable, UnauthorizedException } from "@nestjs/common";
import { JwtService } from "@nestjs/jwt";

import { USERS, type User } from "./users.js";

/** The payload of an access token. `generation` counts the refreshes since the login. */
export interface AccessToken {
  sub: string;
  generation: number;
}

export interface Tokens {
  access: string;
  refresh: string;
}

/** How long an access token is valid, in seconds. */
export const ACCESS_SECONDS = Number(process.env.ACCESS_TOKEN_SECONDS ?? 900);
/** The same for a refresh token. */
export const REFRESH_SECONDS = 7 * 24 * 60 * 60;

/** A login: its refresh tokens follow each other, and only the newest one works. */
interface Login {
  user: User;
  newest: string;
  generation: number;
}

@Injectable()
export class TokensService {
  private readonly logins = new Map<string, Login>();

  constructor(private readonly jwt: JwtService) {}

  /** The user of this address and password. */
  user(email: string, password: string): User {
    const user = USERS.find((user) => user.email === email && user.password === password);
    if (!user) throw new UnauthorizedException();
    return user;
  }

  async login(user: User): Promise<Tokens> {
    const id = randomUUID();
    this.logins.set(id, { user, newest: "", generation: -1 });
    return this.next(id);
  }

  /** The next tokens. A refresh token that comes again may be stolen, so it ends the login. */
  async refresh(token: string): Promise<Tokens> {
    const [id = ""] = token.split(".");
    const login = this.logins.get(id);
    if (login?.newest !== token) {
      this.logins.delete(id);
      throw new UnauthorizedException();
    }
    return this.next(id);
  }

  logout(token: AccessToken): void {
    for (const [id, { user }] of this.logins) if (user.id === token.sub) this.logins.delete(id);
  }

  private async next(id: string): Promise<Tokens> {
    const login = this.logins.get(id);
    if (!login) throw new UnauthorizedException();
    login.generation++;
    login.newest = `${id}.${randomUUID()}`;
    const payload: AccessToken = { sub: login.user.id, generation: login.generation };
    return { access: await this.jwt.signAsync(payload, { expiresIn: ACCESS_SECONDS }), refresh: login.newest };
  }
}
