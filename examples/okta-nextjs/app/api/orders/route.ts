import { orders } from "@/orders";

export const GET = orders;
