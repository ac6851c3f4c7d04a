// The application behind the guards. It tells apart what came with a token, and with a proof.
export default {
  fetch: ({ headers }) => {
    const token = headers.has("authorization") ? "with a token" : "without a token";
    return new Response(headers.has("dpop") ? `${token} and a proof` : token);
  },
};
