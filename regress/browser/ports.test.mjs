// A developer at work: the Ports view leads to a server of theirs, which reloads its
// page over a WebSocket, and webviews show what extensions put in them: with a proxy
// domain each at an origin of its own, and without one too.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { password, waitFor } from '../system/daemon.mjs';
import { serve, site, startPorts } from '../system/port-daemon.mjs';
import { command, openBrowser, shots, workbench } from './person.mjs';

let browser;
before(async () => { browser = await openBrowser(['--ignore-certificate-errors']); }, { timeout: 60000 });
after(() => browser?.close());

async function start(domain) {
	const d = await startPorts({ users: ['ann'], domain, ide: 'argument "--disable-workspace-trust"' });
	const origin = `https://${domain ? site : 'localhost'}:${d.port}`;
	const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
	const page = await context.newPage();
	await page.goto(`${origin}/`);
	await page.fill('#username', 'ann');
	await page.fill('input[name=password]', password);
	await page.click('button[type=submit], input[type=submit]');
	await page.waitForURL(`${origin}/`);
	return { d, origin, context, page };
}

const put = (d, file, text) => d.ok(['sandbox', 'exec', 'ann', '--', 'sh', '-c', `cat >/home/ann/${file}`], text);

async function portsView(page, port) {
	await page.locator('.statusbar-item', { has: page.locator('.codicon-radio-tower') }).click();
	await page.locator('.monaco-button', { hasText: 'Forward a Port' }).first().click({ timeout: 20000 });
	const box = page.locator('input[placeholder*="Port number"]');
	await box.waitFor({ state: 'visible', timeout: 15000 });
	await box.fill(String(port));
	await page.keyboard.press('Enter');
	const row = page.locator('.monaco-table .monaco-list-row, .monaco-list-row', { hasText: String(port) }).first();
	await row.waitFor({ timeout: 30000 });
	return row;
}

for (const domain of [true, false])
	test(domain ? 'with a proxy domain' : 'without one', { timeout: 240000 }, async (t) => {
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
		await page.locator('.explorer-folders-view >> text=note.md').first().dblclick();
		await page.waitForSelector('.editor-container .monaco-editor');
		await command(page, 'Markdown: Open Preview to the Side');
		const outer = await page.waitForSelector('iframe.webview.ready', { state: 'attached', timeout: 60000 });
		const src = new URL(await outer.getAttribute('src'));
		if (domain) assert.match(src.host, new RegExp(`^[0-9a-v]{52}\\.${site}:${d.port}$`), 'an origin of its own');
		const inner = await (await outer.contentFrame()).waitForSelector('#active-frame', { state: 'attached', timeout: 30000 });
		await (await inner.contentFrame()).waitForSelector('text=Seen in a webview', { timeout: 30000 });

		// The Ports view's link.
		await page.locator('.editor-container .monaco-editor').first().click();
		const row = await portsView(page, 5173);
		const want = domain ? `https://5173.${site}:${d.port}/` : `${origin}/proxy/5173/`;
		await waitFor('the address in the Ports view', async () => (await row.textContent()).includes(want.replace(/\/$/, '')), 20000);
		const opened = context.waitForEvent('page', { timeout: 60000 });
		await row.hover();
		await row.locator('[aria-label*="Open in Browser"]').first().click();
		// The workbench asks before it opens another site.
		const ask = page.locator('.monaco-dialog-box a.monaco-button, .monaco-dialog-box .monaco-button', { hasText: /^Open$/ }).first();
		await ask.click({ timeout: 5000 }).catch(() => {});
		const app = await opened;
		await app.waitForURL(want, { timeout: 30000 });
		await waitFor('the WebSocket', async () => (await app.title()) === 'connected', 20000);
		await waitFor('the first text', async () => (await app.textContent('#text')) === 'cold', 10000);
		put(d, 'hot.txt', 'reloaded');
		await waitFor('the reload', async () => (await app.textContent('#text')) === 'reloaded', 20000);

		// When it ends the page says so, and comes back with it.
		d.ctl(['sandbox', 'exec', 'ann', '--', 'pkill', '-f', 'node - 5173 ']);
		await app.goto(want);
		await app.waitForSelector('text=nothing listens on port 5173');
		await serve(d, 'ann', 5173, { script: 'hot-server.js' });
		await waitFor('the page to look again', async () => (await app.title().catch(() => '')) === 'connected', 20000);
	});
void fs;
