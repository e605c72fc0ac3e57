/** The sign-in page deletes the data that the driver's page stored, except waiting reports. */

import { deleteStops } from "./driver/database.js";
import { deletePage } from "./driver/home-screen.js";

await Promise.all([deletePage(), deleteStops()]);
