/** The moves of a stop that the driver may make with a button. The server sends the labels. “Failed” has its own dialog. */
/** @import { OrderStatus } from "types/rows" */
import { isOnward, mayMove, movesFrom } from "../../web/statuses.js";

/** @param {OrderStatus} status */
const withButton = (status) => movesFrom(status).filter(({ word }) => word);

/** @param {OrderStatus} status */
export const onward = (status) => withButton(status).find(({ to }) => isOnward(status, to));

/** @param {OrderStatus} status */
export const back = (status) => withButton(status).find(({ to }) => !isOnward(status, to));

/** @param {OrderStatus} status */
export const mayFail = (status) => mayMove(status, "failed");
