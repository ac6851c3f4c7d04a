// The origin under which browsers see it; docs/upstreams.md says why.
export default { ssr: true, allowedActionOrigins: ["app.example.com"] };
