// socket.io: what one client sends is emitted to the room of all others.
const { Server } = require("socket.io");

const io = new Server(Number(process.argv[2]), { transports: ["websocket"] });

io.on("connection", (socket) => {
  socket.join("orders");
  socket.on("publish", (event) => socket.to("orders").emit("event", event));
});
