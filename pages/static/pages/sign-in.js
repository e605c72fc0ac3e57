/** Deletes the driver's page and stops that this browser stored, when the sign-in page opens. Keeps the reports. */

import { deleteStops } from "./driver/database.js";
import { deletePage } from "./driver/home-screen.js";

await Promise.all([deletePage(), deleteStops()]);
