// Pages of ided's own, as somebody finds them who has no mouse, who is read to, who looks
// at a telephone; in each language, and under each preset of security headers.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { password, top, waitFor } from '../system/daemon.mjs';
import { site, startPorts } from '../system/port-daemon.mjs';
import { openTrusting, shots } from './person.mjs';

const axe = fs.readFileSync(`${top}/regress/browser/node_modules/axe-core/axe.min.js`, 'utf8');
const telephone = { width: 320, height: 640 };
let browser, d, origin;
before(async () => {
	d = await startPorts({ users: ['ann', 'bob', 'mia'], proxy: 'share public', auth: 'registration open' });
	browser = await openTrusting(d);
	origin = `https://${site}:${d.port}`;
}, { timeout: 60000 });
after(async () => {
	await browser?.close();
	await d?.stop();
});

async function open(t, options = {}) {
	const context = await browser.newContext({ viewport: telephone, ...options });
	t.after(() => context.close());
	const page = await context.newPage();
	const complaints = [];
	page.on('console', (m) => { if (m.type() === 'error' && !/status of [45]\d\d/.test(m.text())) complaints.push(m.text()); });
	page.on('pageerror', (e) => complaints.push(e.message));
	return { page, complaints };
}

// Without a mouse.
async function logIn(page, name, { pw = password, at = '/login' } = {}) {
	await page.goto(`${origin}${at}`);
	// It has the focus as soon as the page is drawn.
	await page.waitForFunction(() => document.activeElement.id === 'username', null, { timeout: 10000 });
	await page.keyboard.type(name);
	await page.keyboard.press('Tab');
	await page.keyboard.type(pw);
	await page.keyboard.press('Enter');
}

// What an auditor's tool finds, and what does not fit on a small screen.
async function look(page, what) {
	for (const colorScheme of ['light', 'dark']) {
		await page.emulateMedia({ colorScheme });
		await page.evaluate(axe);
		const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
		assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html} ${n.failureSummary}`)}`), [], `${what}, ${colorScheme}`);
	}
	const { wide, room } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: innerWidth }));
	assert.ok(wide <= room, `${what}: ${wide} pixels wide`);
	await page.screenshot({ path: `${shots}/page-${what.replace(/\W+/g, '-')}.png`, fullPage: true });
}

// All that can be used is reached, and is seen to be.
async function tab(page, what) {
	const all = await page.locator('a[href], button, input:not([type=hidden]), select').count();
	const seen = new Set();
	for (let i = 0; i < 2 * all + 2 && seen.size < all; i++) {
		await page.keyboard.press('Tab');
		const at = await page.evaluate(() => {
			const e = document.activeElement, s = getComputedStyle(e);
			return { n: [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select')].indexOf(e),
				marked: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, html: e.outerHTML };
		});
		if (at.n === -1) continue;
		assert.ok(at.marked, `${what}: nothing shows that it has the focus: ${at.html}`);
		seen.add(at.n);
	}
	assert.equal(seen.size, all, `${what}: what can be reached`);
}

test('each page: what a keyboard, a reader and a telephone find there', { timeout: 120000 }, async (t) => {
	const { page, complaints } = await open(t, { bypassCSP: true });
	const { link } = JSON.parse(d.ok(['-j', 'user', 'reset', 'mia']));
	for (const at of ['/login', '/register', link, '/none']) {
		await page.goto(`${origin}${at}`);
		await look(page, at.replace(/token=.*/, ''));
		await tab(page, at);
	}
	await logIn(page, 'ann', { pw: 'wrong' });
	await page.waitForSelector('.error');
	assert.equal(await page.inputValue('#username'), 'ann');
	// What is to be mended has the focus.
	await page.waitForFunction(() => document.activeElement.id === 'password', null, { timeout: 10000 });
	assert.match(await page.getAttribute('[role=alert] .error', 'lang'), /^en$/);
	await look(page, 'a wrong password');
	await logIn(page, 'ann');
	await page.waitForURL(`${origin}/`);
	for (const at of ['/', '/password', '/ports']) {
		await page.goto(`${origin}${at}`);
		await look(page, at === '/' ? 'start page' : at);
		await tab(page, at);
		// The way out, and what it is called.
		assert.equal(await page.locator('form[action="/logout"] button').innerText(), 'Log out', at);
		for (const input of await page.locator('input[type=password]').all())
			assert.match(await input.getAttribute('autocomplete'), /^(current|new)-password$/);
	}
	await page.goto(`https://3999.${site}:${d.port}/`);
	await page.waitForSelector('h1:has-text("3999")');
	await look(page, 'a port');
	assert.deepEqual(complaints, []);
	await page.evaluate(() => document.documentElement.removeAttribute('lang'));
	await assert.rejects(look(page, 'control'), (e) => /html-has-lang/.test(e.actual));
});

const people = [
	['strict', 'de-DE', 'de', 'Anmelden', 'falsch'], ['strict', 'zh-CN', 'zh', '登录', '不正确'],
	['balanced', 'fr-FR', 'fr', 'Se connecter', 'incorrect'], ['balanced', 'ja-JP', 'ja', 'ログイン', '正しくありません'],
	['development', 'es-ES', 'es', 'Iniciar sesión', 'incorrectos'], ['development', 'it-IT', 'en', 'Log in', 'Incorrect'],
];
for (const [i, [preset, locale, lang, label, wrong]] of people.entries()) {
	test(`a login by ${locale}, headers ${preset}`, { timeout: 60000 }, async (t) => {
		d.write(`${d.opts.conf}\nheaders ${preset}`);
		d.ok(['reload']);
		const from = d.log.length;
		const { page, complaints } = await open(t, { locale });
		// From elsewhere: who fails so often from one address is not let in for a while.
		const failed = await d.post('/login', { username: 'ann', password: 'wrong' },
			{ localAddress: `127.0.5.${i + 1}`, headers: { 'accept-language': locale } });
		assert.match(failed.body, new RegExp(`class="error" lang="${lang}">[^<]*${wrong}`));
		await page.goto(`${origin}/login?to=/password`);
		assert.equal(await page.getAttribute('html', 'lang'), lang);
		assert.equal((await page.innerText('button[type=submit]')).trim(), label);
		await logIn(page, 'ann', { at: '/login?to=/password' });
		await page.waitForURL(`${origin}/password`);
		assert.equal(await page.getAttribute('html', 'lang'), lang);
		await page.locator('form[action="/logout"] button').focus();
		await page.keyboard.press('Enter');
		await page.waitForURL(`${origin}/login`);
		assert.deepEqual(complaints, []);
		assert.doesNotMatch(d.log.slice(from), /csp\.report/);
	});
}

test('what the policy stops is reported by the browser', { timeout: 30000 }, async (t) => {
	const { page } = await open(t);
	await page.goto(`${origin}/login`);
	await page.evaluate(() => { document.body.append(Object.assign(new Image(), { src: 'https://evil.example/x.png?secret' })); });
	await waitFor('the report', () => /csp\.report .*directive="img-src" blocked="https:\/\/evil\.example\/x\.png"/.test(d.log));
});

test('a page that lies in a folder acts for nobody', { timeout: 60000 }, async (t) => {
	const { page } = await open(t);
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
	fs.writeFileSync(`${d.home('ann')}/workspaces/evil.html`, '<title>still</title><script>document.title = "ran"</script>');
	await logIn(page, 'ann');
	await page.waitForURL(`${origin}/`);
	await page.goto(`${origin}/ide/vscode-remote-resource?path=/home/ann/workspaces/evil.html`, { timeout: 50000 });
	assert.deepEqual(await page.evaluate(() => [document.title, self.origin]), ['still', 'null']);
});

test('what one leaves in a browser is not for the next', { timeout: 60000 }, async (t) => {
	const { page } = await open(t);
	const left = async () => {
		await page.goto(`${origin}/login`);
		return page.evaluate(() => localStorage.getItem('left'));
	};
	const leave = () => page.evaluate(() => localStorage.setItem('left', 'by ann'));
	await logIn(page, 'ann');
	await page.waitForURL(`${origin}/`);
	await leave();
	assert.equal(await left(), 'by ann');
	await page.click('form[action="/logout"] button');
	await page.waitForURL(`${origin}/login`);
	assert.equal(await left(), null, 'after a logout');
	// The session is ended elsewhere, and somebody else comes.
	await logIn(page, 'ann');
	await page.waitForURL(`${origin}/`);
	await leave();
	d.ok(['session', 'revoke', '-a']);
	await page.goto(`${origin}/`);
	assert.equal(await left(), 'by ann');
	await logIn(page, 'bob');
	await page.waitForURL(`${origin}/`);
	assert.equal(await page.evaluate(() => localStorage.getItem('left')), null, 'for bob');
});
