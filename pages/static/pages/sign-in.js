/** Nobody is signed in here: what the driver's page kept of whoever was is thrown away, except what waits to be sent. */
import { forgetPage } from "./driver/home-screen.js";
import { forgetStops } from "./driver/store.js";

await Promise.all([forgetPage(), forgetStops()]);
