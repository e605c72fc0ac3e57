/** Why the server closed a link (README, “Limits”). */
export const UNAUTHENTICATED = 4401;
export const FORBIDDEN = 4403;
export const TOO_MANY_CONNECTIONS = 4409;
/** Daphne may not send 1012 and says 4012. */
export const RESTART = [1012, 4012];
/** Sockets are switched off: daphne says 4013. */
export const SWITCHED_OFF = [1013, 4013];
