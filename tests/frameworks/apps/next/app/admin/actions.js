"use server";

export async function erase() {
  return "guarded page: erased";
}
