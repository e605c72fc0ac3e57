/** Nobody is signed in: deletes what the driver's page stored, except reports that wait to be sent. */

import { deleteStops } from "./driver/database.js";
import { deletePage } from "./driver/home-screen.js";

await Promise.all([deletePage(), deleteStops()]);
