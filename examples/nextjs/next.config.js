/** @type {import("next").NextConfig} */
export default {
  // This directory is the whole project: what lies above it is another one.
  turbopack: { root: import.meta.dirname },
};
