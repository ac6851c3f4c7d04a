// The application behind the guards. It tells apart what came with a token.
export default {
  fetch: (request) => new Response(request.headers.has("authorization") ? "with a token" : "without a token"),
};
