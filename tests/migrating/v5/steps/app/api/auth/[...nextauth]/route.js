export function GET() {
  return new Response("Vestibule answers here.");
}
