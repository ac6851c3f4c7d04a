export default {
  i18n: { locales: ["en", "de"], defaultLocale: "en" },
  turbopack: { root: new URL("../..", import.meta.url).pathname },
  async rewrites() {
    return [{ source: "/backoffice", destination: "/admin" }];
  },
};
