// The benchmark's peer: a bare handler of Synapse's transactions in Node, as fast as it is easily written and durable.
// One SQL transaction per push, with multi-row prepared statements; events are known by their ids; what was committed
// goes to the WebSocket client of the conversation's user. It has no numbers, no feed, no resume and no membership: it
// is the least that could be called a bridge.
//
// DATABASE_URL (an empty database), TOKEN. Prints its port.
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import pg from "pg";
import { WebSocketServer } from "ws";

const { DATABASE_URL, TOKEN } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
await pool.query(`
  CREATE TABLE rooms (room_id text PRIMARY KEY, conversation_id uuid NOT NULL, user_id text NOT NULL);
  CREATE TABLE messages (
    id uuid PRIMARY KEY, conversation_id uuid NOT NULL, sender text NOT NULL, content text NOT NULL,
    event_id text NOT NULL UNIQUE, created_at timestamptz NOT NULL)`);

const sockets = new Map();

async function setUp(rooms) {
  await pool.query(
    "INSERT INTO rooms SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[]) ON CONFLICT DO NOTHING",
    [rooms.map((it) => it[0]), rooms.map((it) => it[1]), rooms.map((it) => it[2])],
  );
}

const LOOK_UP = {
  name: "look-up",
  text: "SELECT room_id, conversation_id, user_id FROM rooms WHERE room_id = ANY ($1)",
};
const INSERT = {
  name: "insert",
  text: `INSERT INTO messages (id, conversation_id, sender, content, event_id, created_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
         ON CONFLICT (event_id) DO NOTHING RETURNING event_id`,
};

async function apply(events) {
  const texts = events.filter((it) => it.type === "m.room.message" && typeof it.content?.body === "string");
  if (texts.length === 0) return [];
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const found = await client.query({ ...LOOK_UP, values: [[...new Set(texts.map((it) => it.room_id))]] });
    const rooms = new Map(found.rows.map((row) => [row.room_id, row]));
    const messages = [];
    for (const event of texts) {
      const room = rooms.get(event.room_id);
      if (room) messages.push({ id: randomUUID(), room, event, at: new Date(event.origin_server_ts).toISOString() });
    }
    const inserted = await client.query({
      ...INSERT,
      values: [
        messages.map((it) => it.id),
        messages.map((it) => it.room.conversation_id),
        messages.map((it) => it.event.sender),
        messages.map((it) => it.event.content.body),
        messages.map((it) => it.event.event_id),
        messages.map((it) => it.at),
      ],
    });
    await client.query("COMMIT");
    if (inserted.rowCount === messages.length) return messages;
    const fresh = new Set(inserted.rows.map((row) => row.event_id));
    return messages.filter((it) => fresh.delete(it.event.event_id));
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}

function show({ id, room, event, at }) {
  const socket = sockets.get(room.user_id);
  if (!socket) return;
  socket.send(JSON.stringify({
    type: "message.new", id, conversation_id: room.conversation_id, sender_id: event.sender,
    content: event.content.body, event_id: event.event_id, created_at: at,
  }));
}

function answer(response, status, body) {
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return answer(response, 403, '{"errcode":"M_FORBIDDEN"}');
    try {
      const body = JSON.parse(Buffer.concat(chunks));
      if (request.url === "/rooms") {
        await setUp(body);
        return answer(response, 200, "{}");
      }
      const messages = await apply(body.events);
      answer(response, 200, "{}");
      messages.forEach(show);
    } catch (error) {
      console.error(error);
      answer(response, 500, '{"errcode":"M_UNKNOWN"}');
    }
  });
});
server.keepAliveTimeout = 0;

new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket, request) => {
  socket._socket.setNoDelay(true);
  sockets.set(new URL(request.url, "http://peer").searchParams.get("user"), socket);
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
