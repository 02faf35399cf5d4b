// Clients as they should not be, and a lot of those that are as they should. All bounded in number and in time.
import { setTimeout as sleep } from "node:timers/promises";

const HEAD = "GET /api/v1/info HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/** Connections that begin a request and say no more. */
export async function stall(plug, count) {
  const sockets = [];
  for (let index = 0; index < count; index += 1) {
    const socket = await plug.socket();
    socket.write(HEAD.slice(0, 30));
    sockets.push(socket);
  }
  return sockets;
}

/** Clients that send a byte a second, and come again when they are sent away. */
export async function slow(plug, count, seconds) {
  const crawl = async () => {
    const end = Date.now() + seconds * 1000;
    let socket = await plug.socket();
    for (let at = 0; Date.now() < end; at = (at + 1) % HEAD.length) {
      if (socket.destroyed) {
        socket = await plug.socket();
        at = 0;
      }
      socket.write(HEAD[at]);
      await sleep(1000);
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: count }, crawl));
}

/** Clients that reset the connection as soon as there is one. */
export async function resetAtOnce(plug, count) {
  for (let index = 0; index < count; index += 1) {
    (await plug.socket()).resetAndDestroy();
    await sleep(20);
  }
}

/** Clients that ask and do not wait. */
export async function resetBeforeTheAnswer(plug, count) {
  for (let index = 0; index < count; index += 1) {
    const socket = await plug.socket();
    socket.write(HEAD);
    await sleep(index % 5);
    socket.resetAndDestroy();
    await sleep(50);
  }
}

/** What a house full of people does with a plug, for a while; says how many answers it gave. */
export async function use(plug, paths, milliseconds) {
  const end = Date.now() + milliseconds;
  let answers = 0;
  const read = async (first) => {
    for (let index = first; Date.now() < end; index += 1) {
      const { status } = await plug.askPatiently(paths[index % paths.length]);
      if (status !== 200) throw new Error(`${paths[index % paths.length]}: ${status}`);
      answers += 1;
      await sleep(50);
    }
  };
  const watch = async () => {
    while (Date.now() < end) {
      const until = Math.min(Date.now() + 5000, end);
      // Turned away while all workers are busy: it comes again.
      await (async () => {
        for await (const _ of plug.readings()) if (Date.now() > until) break;
      })().catch(() => sleep(200));
    }
  };
  const breakOff = async () => {
    while (Date.now() < end) {
      await resetAtOnce(plug, 1);
      await resetBeforeTheAnswer(plug, 1);
      await sleep(500);
    }
  };
  await Promise.all([read(0), read(5), read(10), watch(), watch(), breakOff()]);
  return answers;
}
