import type { NextConfig } from "next";

export default {
  // This directory is the whole project; the directories above it belong to another one.
  turbopack: { root: import.meta.dirname },
} satisfies NextConfig;
