// What a person does with a browser.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { chromium } from 'playwright-core';
import { password, top, waitFor } from '../system/daemon.mjs';

export const shots = `${top}/regress/artefacts`;
// On a machine with cold caches and much to do nothing has a usual time.
const PATIENCE = 90000;
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];

export function openBrowser(more = []) {
	fs.mkdirSync(shots, { recursive: true });
	return chromium.launch({ executablePath: '/usr/bin/chromium', args: [...args, ...more], timeout: PATIENCE });
}

// Its certificate is one that this browser trusts: without, no service worker works.
export function openTrusting(d) {
	const key = execFileSync('sh', ['-c', `openssl x509 -in ${d.dir}/server.crt -noout -pubkey | openssl pkey -pubin -outform der |
		openssl dgst -sha256 -binary | base64`], { encoding: 'utf8' }).trim();
	return openBrowser([`--ignore-certificate-errors-spki-list=${key}`]);
}

export async function newContext(browser, options = {}) {
	const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
	context.setDefaultTimeout(PATIENCE);
	return context;
}

export async function visit(d, browser, user, { trusting = false } = {}) {
	const context = await newContext(browser, { ignoreHTTPSErrors: !trusting, viewport: { width: 1280, height: 800 } });
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
	await page.waitForSelector('div.monaco-workbench');
	await page.waitForSelector('.explorer-folders-view, .explorer-viewlet');
}

// What a person does again when nothing has come of it, each time with more patience:
// fn is told how much.
export async function untilDone(page, fn, most = 5) {
	for (let tries = 1; ; tries++) {
		try {
			return await fn(5000 * tries);
		} catch (e) {
			await page.screenshot({ path: `${shots}/tried-again.png` }).catch(() => {});
			if (tries === most) throw e;
			await page.keyboard.press('Escape');
		}
	}
}

// The palette's command, until what comes of it is seen: the palette goes away when the
// workbench moves the focus while it still loads, and with it what was chosen.
export function command(page, name, seen) {
	let tried = false;
	return untilDone(page, async (timeout) => {
		// It may have come late.
		if (tried && seen && await seen(1000).then(() => true, () => false)) return;
		tried = true;
		await page.keyboard.press('F1');
		const input = page.locator('.quick-input-widget input').first();
		await input.waitFor({ state: 'visible', timeout });
		await input.fill(`>${name}`, { timeout });
		// It need not be the first that is found: Enter might say another.
		await page.locator('.quick-input-list .monaco-list-row').filter({ hasText: name }).first().click({ timeout });
		await input.waitFor({ state: 'hidden', timeout });
		await seen?.(timeout);
	});
}

const shellInput = (page) => page.locator('.terminal-wrapper.active .xterm-helper-textarea').first();

// A terminal that has the focus.
export async function terminal(page) {
	await command(page, 'Terminal: Create New Terminal', (timeout) => shellInput(page).waitFor({ state: 'attached', timeout: 3 * timeout }));
	await shellInput(page).focus();
}

// A line for the shell, again until what comes of it is seen: the workbench takes the focus
// away once more while it loads, and what was typed until then goes astray.
export function tellShell(page, line, what, seen) {
	let first = true;
	return untilDone(page, async (timeout) => {
		await shellInput(page).focus();
		if (!first) await page.keyboard.press('Control+C');
		first = false;
		// At once, so that no half of it goes elsewhere; of what comes while a shell
		// begins, the first characters may be lost.
		await page.keyboard.insertText(`    ${line}`);
		await page.keyboard.press('Enter');
		return waitFor(what, seen, 2 * timeout, 200);
	});
}
