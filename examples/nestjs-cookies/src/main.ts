import "reflect-metadata";

import { NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import cookieParser from "cookie-parser";

import { AppModule } from "./app.module.js";

// The API below /api and the pages in public/. It knows nothing of Vestibule.
const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ["warn", "error"] });
app.setGlobalPrefix("api");
app.use(cookieParser());
app.useStaticAssets("public", { extensions: ["html"] });
await app.listen(Number(process.env.PORT ?? 9401), "localhost");
