// Pages of ided's own, as somebody finds them who has no mouse, who is read to, who looks
// at a telephone; in each language, and under each preset of security headers.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { freePort, password, top, waitFor } from '../system/daemon.mjs';
import { serve, site, startPorts } from '../system/port-daemon.mjs';
import { newContext, openTrusting, shots } from './person.mjs';

const axe = fs.readFileSync(`${top}/regress/browser/node_modules/axe-core/axe.min.js`, 'utf8');
const telephone = { width: 320, height: 640 };
let browser, d, origin, away;
before(async () => {
	away = await freePort();
	d = await startPorts({ users: ['ann', 'bob', 'mia'], proxy: 'share public\ntimeout 1s', auth: 'registration open',
		conf: `location "/away/" { proxy to 127.0.0.1 port ${away} }` });
	browser = await openTrusting(d);
	origin = `https://${site}:${d.port}`;
}, { timeout: 180000 });
after(async () => {
	await browser?.close();
	await d?.stop();
});

async function open(t, options = {}) {
	const context = await newContext(browser, { ignoreHTTPSErrors: false, viewport: telephone, ...options });
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
	await page.waitForFunction(() => document.activeElement.id === 'username');
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

test('each page: what a keyboard, a reader and a telephone find there', { timeout: 240000 }, async (t) => {
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
	await page.waitForFunction(() => document.activeElement.id === 'password');
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
	await tab(page, 'a port');
	await page.goto(`${origin}/away/`);
	await page.waitForSelector('h1:has-text("This service does not answer")');
	await look(page, 'a service');
	await tab(page, 'a service');
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
	test(`a login by ${locale}, headers ${preset}`, { timeout: 120000 }, async (t) => {
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

// The clock is the test's own.
test('a page that waits asks ever more seldom, only while it is seen, and is loaded once there is an answer', { timeout: 120000 }, async (t) => {
	const { page, complaints } = await open(t);
	const from = d.log.length, at = `https://3998.${site}:${d.port}/x?y=1`;
	await logIn(page, 'ann');
	await page.waitForURL(`${origin}/`);
	const noon = Date.UTC(2030, 0, 1, 12);
	await page.clock.install({ time: noon - 60000 });
	await page.clock.pauseAt(noon);
	await page.goto(`${at}#z`);
	let asked = 0, loaded = 0;
	page.on('response', (r) => { if (!r.request().isNavigationRequest() && r.url() === at) asked++; });
	page.on('load', () => { loaded++; });
	// Whatever it has asked is answered, and its next time is set.
	const settle = () => page.evaluate(() => fetch('/.ided/static/style.css').then((r) => r.text()));
	// After so long it asks, and not before.
	const asks = async (ms) => {
		const n = asked;
		await page.clock.runFor(ms - 1);
		await settle();
		assert.equal(asked, n, `before ${ms} ms`);
		await page.clock.runFor(1);
		await waitFor(`a question after ${ms} ms`, () => asked === n + 1);
		await settle();
	};
	const said = () => page.textContent('#wait');
	assert.match(await said(), /looks by itself/);
	for (const ms of [1000, 2000, 4000, 8000, 15000, 15000]) await asks(ms);
	const hide = (hidden) => page.evaluate((h) => {
		Object.defineProperty(document, 'hidden', { value: h, configurable: true });
		document.dispatchEvent(new Event('visibilitychange'));
	}, hidden);
	let n = asked;
	await hide(true);
	await page.clock.runFor(120000);
	await settle();
	assert.equal(asked, n, 'nobody sees it');
	await hide(false);
	await waitFor('a question as it is seen again', () => asked === n + 1);
	await settle();
	// Nobody does anything: it stops, until somebody does.
	await page.clock.fastForward(31 * 60000);
	await waitFor('its rest', async () => /does not look any more/.test(await said()));
	n = asked;
	await page.clock.runFor(120000);
	await settle();
	assert.equal(asked, n, 'nobody is there');
	await page.mouse.move(10, 10);
	await page.mouse.move(100, 100);
	await waitFor('a question as somebody is there', () => asked > n);
	assert.match(await said(), /looks by itself/);
	assert.equal(loaded, 0, 'it was not loaded again');
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
	await serve(d, 'ann', 3998);
	await waitFor('the page of the program', async () => {
		await page.clock.runFor(1000).catch(() => {});
		return /"url":"\/x\?y=1"/.test(await page.textContent('body').catch(() => ''));
	});
	assert.equal(page.url(), `${at}#z`);
	assert.deepEqual(complaints, []);
	assert.doesNotMatch(d.log.slice(from), /csp\.report/);
});

test('what the policy stops is reported by the browser', { timeout: 60000 }, async (t) => {
	const { page } = await open(t);
	await page.goto(`${origin}/login`);
	await page.evaluate(() => { document.body.append(Object.assign(new Image(), { src: 'https://evil.example/x.png?secret' })); });
	await waitFor('the report', () => /csp\.report .*directive="img-src" blocked="https:\/\/evil\.example\/x\.png"/.test(d.log));
});

test('a page that lies in a folder acts for nobody', { timeout: 180000 }, async (t) => {
	const { page } = await open(t);
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
	fs.writeFileSync(`${d.home('ann')}/workspaces/evil.html`, '<title>still</title><script>document.title = "ran"</script>');
	await logIn(page, 'ann');
	await page.waitForURL(`${origin}/`);
	await page.goto(`${origin}/ide/vscode-remote-resource?path=/home/ann/workspaces/evil.html`);
	assert.deepEqual(await page.evaluate(() => [document.title, self.origin]), ['still', 'null']);
});

test('what one leaves in a browser is not for the next', { timeout: 120000 }, async (t) => {
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
