// A thread that asks again and again over one connection, and tells how long each took:
// for ms, or until it is told to stop.
import https from 'node:https';
import { parentPort, workerData } from 'node:worker_threads';
import { sleep } from '../system/daemon.mjs';

const { port, path, cookie, ms } = workerData;
const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
const one = () => new Promise((resolve, reject) => {
	const at = performance.now();
	https.get({ host: '127.0.0.1', port, path, agent, servername: 'localhost', rejectUnauthorized: false,
		headers: { host: `localhost:${port}`, cookie, accept: 'application/json' } }, (res) => {
		res.resume();
		res.on('end', () => (res.statusCode === 200 ? resolve(performance.now() - at) : reject(new Error(`${path}: ${res.statusCode}`))));
	}).on('error', reject);
});

const times = [];
let over = false;
parentPort.on('message', () => { over = true; });
for (const end = performance.now() + ms; performance.now() < end && !over;) {
	times.push(await one());
	await sleep(12);
}
agent.destroy();
parentPort.postMessage(times);
parentPort.close();
