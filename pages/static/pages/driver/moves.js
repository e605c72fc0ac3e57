/** The moves that the driver may make from a status. The server labels those with a button; “failed” has its own dialog. */
/** @import { OrderStatus } from "types/rows" */
import { isOnward, mayMove, movesFrom } from "../../web/statuses.js";

/** @param {OrderStatus} status */
const movesWithButton = (status) => movesFrom(status).filter(({ label }) => label);

/** @param {OrderStatus} status */
export const onwardMove = (status) => movesWithButton(status).find(({ to }) => isOnward(status, to));

/** @param {OrderStatus} status */
export const backMove = (status) => movesWithButton(status).find(({ to }) => !isOnward(status, to));

/** @param {OrderStatus} status */
export const mayFail = (status) => mayMove(status, "failed");
