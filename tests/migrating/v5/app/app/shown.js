/** What of a session the pages show: whether there is an access token, and not the token. */
export function shown(session) {
  if (!session?.user) return null;
  const { name, id, roles } = session.user;
  return { name, hasId: Boolean(id), roles, hasToken: Boolean(session.accessToken) };
}
