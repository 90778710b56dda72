// One user shows another what listens in the own sandbox: shared on the page for that,
// opened by the other, told who comes, and over when the owner says so.  And a page that
// is shared tries what it can with the cookies of who looks at it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { password, waitFor } from '../system/daemon.mjs';
import { serve, site, startPorts } from '../system/port-daemon.mjs';
import { newContext, openBrowser } from './person.mjs';

let browser, d, origin;
before(async () => {
	browser = await openBrowser(['--ignore-certificate-errors']);
	d = await startPorts({ proxy: 'share public', prefork: 'spare 8' });
	origin = `https://${site}:${d.port}`;
	await serve(d, 'ann', 5173, { script: 'hot-server.js' });
	await serve(d, 'ann', 3000);
	await serve(d, 'bob', 3000);
}, { timeout: 180000 });
after(async () => {
	await browser?.close();
	await d?.stop();
});

async function person(name) {
	const context = await newContext(browser);
	const page = await context.newPage();
	if (name) {
		await page.goto(`${origin}/`);
		await page.fill('#username', name);
		await page.fill('input[name=password]', password);
		await page.click('button[type=submit]');
		await page.waitForURL(`${origin}/`);
	}
	return { context, page };
}

async function share(page, port, kind) {
	await page.goto(`${origin}/`);
	await page.click('text=Share a port');
	await page.fill('#port', String(port));
	await page.selectOption('#with', kind);
	await page.click('button:has-text("Share")');
	return page.locator('li', { hasText: `Port ${port}` }).locator('a').getAttribute('href');
}
const end = (page, port) => page.click(`button[aria-label="End the sharing of port ${port}"]`);

test('bob opens what ann shares, until she ends it', { timeout: 120000 }, async (t) => {
	const ann = await person('ann'), bob = await person('bob'), nobody = await person();
	t.after(() => Promise.all([ann, bob, nobody].map((p) => p.context.close())));
	const address = await share(ann.page, 5173, 'users');
	assert.match(address, new RegExp(`^https://5173-[0-9a-v]{16}\\.${site}:${d.port}/$`));
	await nobody.page.goto(address);
	await nobody.page.waitForSelector('#username');
	assert.equal(new URL(nobody.page.url()).hostname, site, 'who is not logged in is to log in');
	let closed = 0;
	bob.page.on('websocket', (w) => w.on('close', () => { closed++; }));
	await bob.page.goto(address);
	await waitFor('the WebSocket', async () => (await bob.page.title()) === 'connected', 20000);
	assert.equal(bob.page.url(), address);
	await ann.page.reload();
	await end(ann.page, 5173);
	await ann.page.waitForSelector('text=No port is shared.');
	await waitFor('the end of the WebSocket', () => closed > 0, 20000);
	const r = await bob.page.goto(address);
	assert.equal(r.status(), 404);
	assert.match(await bob.page.textContent('body'), /not shared, or not any more/);
});

test('with everybody: a guest sees it, and bob, who looks at it, loses nothing', { timeout: 120000 }, async (t) => {
	const ann = await person('ann'), bob = await person('bob'), nobody = await person();
	t.after(() => Promise.all([ann, bob, nobody].map((p) => p.context.close())));
	const address = await share(ann.page, 3000, 'public');
	const r = await nobody.page.goto(address);
	assert.equal(r.status(), 200);
	assert.match(await nobody.page.textContent('body'), /"url"/);
	assert.deepEqual(await nobody.context.cookies(), []);
	// bob is at his own port first, so that there is a cookie to be misused.
	const own = `https://3000.${site}:${d.port}`;
	await bob.page.goto(`${own}/`);
	assert.match(await bob.page.textContent('body'), /"url"/);
	await bob.page.goto(address);
	assert.match(await bob.page.textContent('body'), /"url"/);
	const tried = await bob.page.evaluate(async ([main, port]) => {
		const got = {};
		const attempt = async (name, fn) => { try { got[name] = String(await fn()); } catch { got[name] = 'refused'; } };
		await attempt('api', () => fetch(`${main}/api/me`, { credentials: 'include' }).then((x) => x.text()));
		await attempt('port', () => fetch(`${port}/x`, { credentials: 'include' }).then((x) => x.text()));
		for (const policy of ['', 'no-referrer'])
			await attempt(`script ${policy}`, () => new Promise((yes, no) => {
				const s = Object.assign(document.createElement('script'), { src: `${port}/script`, referrerPolicy: policy, onload: () => yes('ran'), onerror: () => no(new Error('')) });
				document.body.append(s);
			}));
		await attempt('socket', () => new Promise((yes, no) => {
			const w = new WebSocket(`${port.replace('https', 'wss')}/ws`);
			w.onopen = () => yes('open');
			w.onerror = () => no(new Error(''));
		}));
		return got;
	}, [origin, own]);
	assert.deepEqual(tried, { api: 'refused', port: 'refused', 'script ': 'refused', 'script no-referrer': 'refused', socket: 'refused' });
	await ann.page.reload();
	await end(ann.page, 3000);
	await ann.page.waitForSelector('text=No port is shared.');
	assert.equal((await nobody.page.goto(address)).status(), 404);
});
