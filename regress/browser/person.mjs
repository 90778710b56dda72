// What a person does with a browser.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { chromium } from 'playwright-core';
import { password, sleep, top, waitFor } from '../system/daemon.mjs';

export const shots = `${top}/regress/artefacts`;
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];

export function openBrowser(more = []) {
	fs.mkdirSync(shots, { recursive: true });
	return chromium.launch({ executablePath: '/usr/bin/chromium', args: [...args, ...more] });
}

// Its certificate is one that this browser trusts: without, no service worker works.
export function openTrusting(d) {
	const key = execFileSync('sh', ['-c', `openssl x509 -in ${d.dir}/server.crt -noout -pubkey | openssl pkey -pubin -outform der |
		openssl dgst -sha256 -binary | base64`], { encoding: 'utf8' }).trim();
	return openBrowser([`--ignore-certificate-errors-spki-list=${key}`]);
}

export async function visit(d, browser, user, { trusting = false } = {}) {
	const context = await browser.newContext({ ignoreHTTPSErrors: !trusting,
		viewport: { width: 1280, height: 800 } });
	const page = await context.newPage();
	const complaints = [];
	page.on('console', (m) => {
		// VS Code complains of its own accord; of ours nothing may be wrong.
		if (m.type() === 'error' && !page.url().startsWith(`${d.origin}/ide/`) && !/ SSL /.test(m.text()))
			complaints.push(m.text());
	});
	await page.goto(`${d.origin}/`);
	await page.fill('#username', user);
	await page.fill('input[name=password]', password);
	await page.click('button[type=submit], input[type=submit]');
	await page.waitForURL(`${d.origin}/`);
	return { context, page, complaints };
}

export async function workbench(page, url) {
	await page.goto(url);
	await page.waitForSelector('div.monaco-workbench', { timeout: 60000 });
	await page.waitForSelector('.explorer-folders-view, .explorer-viewlet', { timeout: 60000 });
}

// The palette's command, as a person would: open it again if it went away, as it
// does when the workbench moves the focus while it still loads.
export async function command(page, name) {
	for (let tries = 0; ; tries++) {
		try {
			await page.keyboard.press('F1');
			const input = page.locator('.quick-input-widget input').first();
			await input.waitFor({ state: 'visible', timeout: 5000 });
			await input.fill(`>${name}`, { timeout: 5000 });
			await page.locator('.quick-input-list .monaco-list-row').filter({ hasText: name }).first()
				.waitFor({ timeout: 5000 });
			await page.keyboard.press('Enter');
			return;
		} catch (e) {
			await page.screenshot({ path: `${shots}/palette-failed.png` });
			if (tries === 3) throw e;
			await page.keyboard.press('Escape');
		}
	}
}

// A terminal that has the focus.
export async function terminal(page) {
	await command(page, 'Terminal: Create New Terminal');
	await page.waitForSelector('.terminal-wrapper.active .xterm-helper-textarea', { state: 'attached', timeout: 30000 });
	await page.locator('.terminal-wrapper.active .xterm-helper-textarea').focus();
}

// A line for the shell, again until what comes of it is seen: the workbench takes the focus
// away once more while it loads, and what was typed until then goes astray.
export async function tellShell(page, line, what, seen) {
	let tries = 0;
	return waitFor(what, async () => {
		await page.locator('.terminal-wrapper.active .xterm-helper-textarea').focus();
		if (tries++ > 0) await page.keyboard.press('Control+C');
		await page.keyboard.type(`${line}\n`, { delay: 5 });
		let v;
		for (let i = 0; i < 40 && !v; i++) {
			v = await seen();
			if (!v) await sleep(200);
		}
		return v;
	}, 40000);
}
