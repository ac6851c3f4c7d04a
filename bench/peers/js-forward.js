// Forwards everything, and looks at nothing.
export default {
  fetch: (request, env) => env.APP.fetch(request),
};
