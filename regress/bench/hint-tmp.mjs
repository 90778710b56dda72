import { startDaemon, sleep } from '../system/daemon.mjs';
const { openTrusting } = await import('../browser/person.mjs');
import fs from 'node:fs';
const d = await startDaemon({ users: ['ann'], ide: 'argument "--disable-workspace-trust"' });
let browser;
const ms = { with: [], without: [], start: { with: [], without: [] } };
const product = Object.fromEntries(fs.readFileSync('/usr/local/lib/ided/vscode/product', 'utf8').trim().split('\n').map((l) => l.split('=')));
try {
	browser = await openTrusting(d);
	const cookie = await d.login('ann');
	for (let round = -1; round < 4; round++) for (const how of round % 2 ? ['with', 'without'] : ['without', 'with']) {
		const c = await browser.newContext({ viewport: { width: 1280, height: 800 } });
		const [name, value] = cookie.split('=');
		await c.addCookies([{ name, value, url: d.origin, secure: true, httpOnly: true, sameSite: 'Lax' }]);
		if (how === 'without') await c.addCookies([{ name: process.env.HINTED, value: `${product.quality}-${product.commit}`, domain: 'localhost', path: '/ide/', secure: true }]);
		const page = await c.newPage();
		const s = await c.newCDPSession(page);
		let begun, js;
		const t0 = {};
		s.on('Network.requestWillBeSent', (e) => { if (!begun) begun = e.timestamp; t0[e.requestId] = [e.request.url, e.timestamp]; });
		s.on('Network.loadingFinished', (e) => { const u = t0[e.requestId]?.[0]; if (u?.endsWith('/workbench/workbench.js')) js = e.timestamp - begun; });
		await s.send('Network.enable');
		await s.send('Network.emulateNetworkConditions', { offline: false, latency: 20, downloadThroughput: 20e6 / 8, uploadThroughput: 20e6 / 8 });
		const t = Date.now();
		await page.goto(`${d.origin}/ide/?folder=/home/ann/workspaces`, { waitUntil: 'commit' });
		await page.waitForSelector('div.monaco-workbench', { timeout: 120000 });
		await page.waitForSelector('.explorer-folders-view, .explorer-viewlet', { timeout: 120000 });
		if (round >= 0) { ms[how].push(Date.now() - t); ms.start[how].push(Math.round((js ?? NaN) * 1000)); }
		await c.close();
	}
	console.log(JSON.stringify(ms));
} finally { await browser?.close(); await d.stop(); }
