// Listens on a free port and says which.

import { createServer } from "node:http";

export function serve(handler) {
  const server = createServer(handler);
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}
