// At the API: the page's origin is another one.
app.use((request, response, next) => {
  response.set({
    "Access-Control-Allow-Origin": "https://app.example.com",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    Vary: "Origin",
  });
  if (request.method === "OPTIONS") return response.sendStatus(204);
  next();
});
