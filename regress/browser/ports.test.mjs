// A developer at work: the Ports view leads to a server of theirs, which reloads its
// page over a WebSocket, and webviews show what extensions put in them: with a proxy
// domain each at an origin of its own, and without one too.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { password, waitFor } from '../system/daemon.mjs';
import { serve, site, startPorts } from '../system/port-daemon.mjs';
import { command, newContext, openBrowser, shots, untilDone, workbench } from './person.mjs';

let browser;
before(async () => { browser = await openBrowser(['--ignore-certificate-errors']); }, { timeout: 180000 });
after(() => browser?.close());

async function start(domain) {
	const d = await startPorts({ users: ['ann'], domain, ide: 'argument "--disable-workspace-trust"' });
	const origin = `https://${domain ? site : 'localhost'}:${d.port}`;
	const context = await newContext(browser, { viewport: { width: 1280, height: 800 } });
	const page = await context.newPage();
	await page.goto(`${origin}/`);
	await page.fill('#username', 'ann');
	await page.fill('input[name=password]', password);
	await page.click('button[type=submit], input[type=submit]');
	await page.waitForURL(`${origin}/`);
	return { d, origin, context, page };
}

const put = (d, file, text) => d.ok(['sandbox', 'exec', 'ann', '--', 'sh', '-c', `cat >/home/ann/${file}`], text);

// Its row is there too when the workbench has found the port by itself.
async function portsView(page, port) {
	const row = page.locator('.monaco-table .monaco-list-row, .monaco-list-row', { hasText: String(port) }).first();
	await untilDone(page, async (timeout) => {
		const forward = page.locator('.monaco-button', { hasText: 'Forward a Port' }).first();
		if (await row.isVisible()) return;
		if (!await forward.isVisible()) await page.locator('.statusbar-item', { has: page.locator('.codicon-radio-tower') }).click({ timeout });
		await forward.click({ timeout });
		const box = page.locator('input[placeholder*="Port number"]');
		await box.waitFor({ state: 'visible', timeout });
		await box.fill(String(port), { timeout });
		await box.press('Enter', { timeout });
		await row.waitFor({ timeout: 3 * timeout });
	});
	return row;
}

// What a click on its link opens.  The workbench asks before it opens another site.
async function openPort(context, page, row) {
	let opened;
	context.on('page', (p) => { opened = p; });
	await untilDone(page, async (timeout) => {
		if (opened) return;
		const ask = page.locator('.monaco-dialog-box a.monaco-button, .monaco-dialog-box .monaco-button', { hasText: /^Open$/ }).first();
		await row.hover({ timeout });
		await row.locator('[aria-label*="Open in Browser"]').first().click({ timeout });
		await waitFor('a window of its own', async () => {
			if (!opened && await ask.isVisible()) await ask.click({ timeout: 1000 }).catch(() => {});
			return opened;
		}, timeout, 200);
	});
	return opened;
}

for (const domain of [true, false])
	test(domain ? 'with a proxy domain' : 'without one', { timeout: 400000 }, async (t) => {
		const { d, origin, context, page } = await start(domain);
		t.after(async () => {
			await page.screenshot({ path: `${shots}/ports-${domain}.png` }).catch(() => {});
			await context.close().catch(() => {});
			await d.stop();
		});
		await serve(d, 'ann', 5173, { script: 'hot-server.js' });
		put(d, 'workspaces/note.md', '# Seen in a webview\n\nand nowhere else\n');
		await workbench(page, `${origin}/ide/?folder=/home/ann/workspaces`);

		// A webview.
		await untilDone(page, async (timeout) => {
			await page.locator('.explorer-folders-view >> text=note.md').first().dblclick({ timeout });
			await page.waitForSelector('.editor-container .monaco-editor', { timeout });
		});
		const webview = 'iframe.webview.ready';
		await command(page, 'Markdown: Open Preview to the Side', (timeout) => page.waitForSelector(webview, { state: 'attached', timeout: 4 * timeout }));
		const src = new URL(await page.locator(webview).first().getAttribute('src'));
		if (domain) assert.match(src.host, new RegExp(`^[0-9a-v]{52}\\.${site}:${d.port}$`), 'an origin of its own');
		// The inner frame is another one each time that it is drawn.
		await page.frameLocator(webview).first().frameLocator('#active-frame').locator('text=Seen in a webview').first().waitFor();

		// The Ports view's link.
		await page.locator('.editor-container .monaco-editor').first().click();
		const row = await portsView(page, 5173);
		const want = domain ? `https://5173.${site}:${d.port}/` : `${origin}/proxy/5173/`;
		await waitFor('the address in the Ports view', async () => (await row.textContent()).includes(want.replace(/\/$/, '')), 20000);
		const app = await openPort(context, page, row);
		await app.waitForURL(want);
		await waitFor('the WebSocket', async () => (await app.title()) === 'connected', 20000);
		await waitFor('the first text', async () => (await app.textContent('#text')) === 'cold', 10000);
		put(d, 'hot.txt', 'reloaded');
		await waitFor('the reload', async () => (await app.textContent('#text')) === 'reloaded', 30000);

		// When it ends the page says so, is not loaded again for nothing, and comes back with it.
		d.ctl(['sandbox', 'exec', 'ann', '--', 'pkill', '-f', 'node - 5173 ']);
		await waitFor('its end', async () => {
			await app.goto(want);
			return app.locator('text=nothing listens on port 5173').isVisible();
		}, 20000, 200);
		let asked = 0;
		app.on('response', (r) => { if (r.url() === want) asked++; });
		await app.evaluate(() => { window.still = true; });
		await waitFor('it to look', () => asked >= 2);
		assert.match(await app.textContent('#wait'), /looks by itself/);
		assert.equal(await app.evaluate(() => window.still), true);
		await serve(d, 'ann', 5173, { script: 'hot-server.js' });
		await waitFor('the page to look again', async () => (await app.title().catch(() => '')) === 'connected', 30000);
	});
