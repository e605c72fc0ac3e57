// socket.io: emits each message of a client to the others in its room.
const { Server } = require("socket.io");

const io = new Server(Number(process.argv[2]), { transports: ["websocket"] });

io.on("connection", (socket) => {
  socket.join("orders");
  socket.on("publish", (event) => socket.to("orders").emit("event", event));
});
