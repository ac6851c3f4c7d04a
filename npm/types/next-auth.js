// Types only: see next-auth.d.ts.
export {};
