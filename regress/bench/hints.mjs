// What early hints are good for: when a browser has the bytes that the workbench begins
// with, at 20 Mbit/s and 20 ms, from an IDE that runs and from one that is started for
// it; with hints, and as a browser that says it has been hinted before.
// Figures, not tests.  ROUNDS says how many.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { idePath, sleep, startDaemon, top, waitFor } from '../system/daemon.mjs';
import { loadNow, say } from './beside.mjs';
import { openLink } from './link.mjs';

execFileSync(`${top}/etc/install-deps`, ['build', 'check', 'bench'], { stdio: 'inherit' });
const { openTrusting } = await import('../browser/person.mjs');

const BYTES = 4e6; // workbench.js, its style and its texts
const rounds = Number(process.env.ROUNDS || 5);
const product = Object.fromEntries(fs.readFileSync(`${idePath}/product`, 'utf8').trim().split('\n').map((l) => l.split(/=(.*)/s).slice(0, 2)));
const d = await startDaemon({ users: ['ann'] });
let browser, link;

async function load(cookies) {
	const context = await browser.newContext();
	await context.addCookies(cookies);
	const page = await context.newPage();
	const from = link.bytes, since = performance.now();
	link.slow(true);
	page.goto(`https://localhost:${link.port}/ide/?folder=/home/ann`, { waitUntil: 'commit' }).catch(() => {});
	await waitFor('the bytes', () => link.bytes - from > BYTES, 60000, 10);
	const ms = performance.now() - since;
	link.slow(false);
	await context.close();
	return ms;
}

try {
	browser = await openTrusting(d);
	link = await openLink(d.port);
	const session = await d.login('ann');
	const cookie = (text) => {
		const [name, value] = text.split('=');
		return { name, value, url: `https://localhost:${link.port}/${name.startsWith('__Host-') ? '' : 'ide/'}`, secure: true, httpOnly: true, sameSite: 'Lax' };
	};
	const hinted = [cookie(session)];
	const not = [...hinted, cookie(`__Secure-ided-files=${product.quality}-${product.commit}`)];
	const there = () => d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie: session } });
	console.log(`${rounds} rounds, alternating; load ${loadNow()}`);
	await load(hinted);
	for (const state of ['runs', 'is started']) {
		const ms = [[], []];
		for (let i = 0; i < rounds; i++)
			for (const [k, cookies] of [hinted, not].entries()) {
				if (state === 'runs') await waitFor('the IDE', async () => (await there()).status === 200);
				else d.ok(['sandbox', 'stop', 'ann']);
				await sleep(300);
				ms[k].push(await load(cookies));
			}
		say(`the IDE ${state}: ms until it is there`, ...ms, 'without');
	}
} finally {
	await browser?.close();
	link?.close();
	await d.stop();
}
