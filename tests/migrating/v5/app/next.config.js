const path = require("node:path");

/** @type {import("next").NextConfig} */
module.exports = {
  // The packages are in the directory above.
  outputFileTracingRoot: path.join(__dirname, ".."),
};
