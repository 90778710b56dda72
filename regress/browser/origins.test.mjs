// What a program in a user's sandbox shows in that user's own browser must not be able
// to act as the user: from an origin of its own, and, where there is none, from below
// /proxy/.  Each attack here is one that a page would try.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { password } from '../system/daemon.mjs';
import { serve, site, startPorts } from '../system/port-daemon.mjs';
import { newContext, openBrowser } from './person.mjs';

let browser;
before(async () => { browser = await openBrowser(['--ignore-certificate-errors']); }, { timeout: 180000 });
after(() => browser?.close());

async function logIn(origin) {
	const context = await newContext(browser);
	const page = await context.newPage();
	await page.goto(`${origin}/`);
	await page.fill('#username', 'ann');
	await page.fill('input[name=password]', password);
	await page.click('button[type=submit], input[type=submit]');
	await page.waitForURL(`${origin}/`);
	return { context, page };
}

// The session is there, is ann's, and there is no other.
async function stillHers(page, origin, d) {
	await page.goto(`${origin}/api/me`);
	assert.match(await page.textContent('body'), /"username": ?"ann"/);
	const sessions = [].concat(JSON.parse(d.ctl(['-j', 'session', 'list', 'ann']).out));
	assert.equal(sessions.length, 1);
}

// In the page: what became of each attempt.  `main' is what it would like to reach.
const attempts = {
	fetch: (main) => fetch(`${main}/api/me`, { credentials: 'include' }).then((r) => r.text()),
	xhr: (main) => new Promise((yes, no) => {
		const x = new XMLHttpRequest();
		x.open('GET', `${main}/api/me`);
		x.withCredentials = true;
		x.onload = () => yes(x.responseText);
		x.onerror = () => no(new Error('error'));
		x.send();
	}),
	logout: (main) => fetch(`${main}/api/logout`, { method: 'POST', mode: 'no-cors', credentials: 'include' }).then(() => 'sent'),
	forged: (main) => fetch(`${main}/api/logout`, { method: 'POST', credentials: 'include', referrer: `${main}/`, referrerPolicy: 'unsafe-url' }).then((r) => r.text()),
	beacon: (main) => (navigator.sendBeacon(`${main}/api/logout`, 'x') ? 'sent' : Promise.reject(new Error('refused'))),
	form: (main) => new Promise((yes, no) => {
		const f = document.createElement('iframe'), g = document.createElement('form');
		f.name = 'sink';
		document.body.append(f, g);
		f.onload = () => { try { yes(f.contentDocument.body.textContent); } catch (e) { no(e); } };
		setTimeout(() => no(new Error('nothing came')), 3000);
		Object.assign(g, { action: `${main}/api/logout`, method: 'post', target: 'sink' });
		g.submit();
	}),
	socket: (main) => new Promise((yes, no) => {
		const w = new WebSocket(`${main.replace('https', 'wss')}/ide/?reconnectionToken=x`);
		w.onopen = () => yes('open');
		w.onerror = () => no(new Error('refused'));
	}),
	events: (main) => new Promise((yes, no) => {
		const e = new EventSource(`${main}/api/me`, { withCredentials: true });
		e.onopen = () => yes('open');
		e.onerror = () => { e.close(); no(new Error('refused')); };
	}),
	frame: (main) => new Promise((yes, no) => {
		const f = document.createElement('iframe');
		f.onload = () => { try { yes(f.contentDocument.documentElement.outerHTML); } catch (e) { no(e); } };
		setTimeout(() => no(new Error('nothing came')), 5000);
		f.src = `${main}/ide/`;
		document.body.append(f);
	}),
	object: (main) => new Promise((yes, no) => {
		const o = document.createElement('object');
		o.onload = () => { try { yes(o.contentDocument.documentElement.outerHTML); } catch (e) { no(e); } };
		o.onerror = () => no(new Error('refused'));
		setTimeout(() => no(new Error('nothing came')), 3000);
		o.data = `${main}/`;
		document.body.append(o);
	}),
	popup: (main) => new Promise((yes, no) => {
		const w = window.open(`${main}/`);
		if (!w) { no(new Error('no window')); return; }
		setTimeout(() => { try { yes(w.document.documentElement.outerHTML); } catch (e) { no(e); } w.close(); }, 3000);
	}),
	asset: (main) => new Promise((yes, no) => {
		const w = window.open(`${main}/favicon.svg`);
		if (!w) { no(new Error('no window')); return; }
		setTimeout(() => {
			try { w.fetch(`${main}/api/me`).then((r) => r.text()).then(yes, no); } catch (e) { no(e); }
			setTimeout(() => w.close(), 2000);
		}, 3000);
	}),
	worker: (main) => navigator.serviceWorker.register(`${main}/_static/out/browser/serviceWorker.js`, { scope: `${main}/` }).then(() => 'registered'),
	scope: () => navigator.serviceWorker.register('page?type=text/javascript&html=//', { scope: '/' }).then((r) => (r.scope === `${location.origin}/` ? 'registered' : 'elsewhere')),
	redirect: (main) => fetch(`redirect?to=${encodeURIComponent(`${main}/api/me`)}`, { credentials: 'include' }).then((r) => r.text()),
	'redirect-post': (main) => fetch(`redirect?status=307&to=${encodeURIComponent(`${main}/api/logout`)}`, { method: 'POST', credentials: 'include' }).then((r) => r.text()),
	dots: () => fetch(`redirect?to=${encodeURIComponent('/proxy/3000/../../api/me')}`).then((r) => r.text()),
	up: () => fetch(`redirect?to=${encodeURIComponent('../../../api/me')}`).then((r) => r.text()),
	backslash: () => fetch(`redirect?to=${encodeURIComponent('\\api\\me')}`).then((r) => r.text()),
	'no-slash': () => fetch(`redirect?to=${encodeURIComponent('https:/api/me')}`).then((r) => r.text()),
	cookie: () => Promise.resolve(document.cookie),
	toss: () => {
		document.cookie = '__Host-ided=0000; Secure; Path=/';
		document.cookie = `__Host-ided=0000; Secure; Path=/; Domain=${location.hostname.split('.').slice(-2).join('.')}`;
		document.cookie = 'ided=0000; Secure; Path=/';
		return Promise.resolve('tried');
	},
};

async function attack(page, name, main) {
	return page.evaluate(`Promise.resolve().then(() => (${attempts[name]})(${JSON.stringify(main)})).then((v) => ({ got: String(v).slice(0, 300) }), (e) => ({ failed: String(e) }))`);
}

// What would show that it worked.
const hers = /"username": ?"ann"|"success": ?true|id="vscode-workbench|<form[^>]*logout/;

test('from an origin of its own', { timeout: 300000 }, async () => {
	const d = await startPorts({ users: ['ann'] });
	try {
		const main = `https://${site}:${d.port}`;
		await serve(d, 'ann', 3000);
		const { context, page } = await logIn(main);
		const port = await context.newPage();
		await port.goto(`https://3000.${site}:${d.port}/page?html=${encodeURIComponent('<!doctype html><title>evil</title><body>evil')}`);
		assert.equal(await port.title(), 'evil', 'the user is signed on without a word');
		for (const name of Object.keys(attempts)) {
			const r = await attack(port, name, main);
			assert.doesNotMatch(r.got ?? '', hers, `${name}: ${JSON.stringify(r)}`);
			if (!['logout', 'beacon', 'scope', 'cookie', 'toss', 'redirect-post', 'dots', 'up', 'backslash', 'no-slash'].includes(name)) assert.ok(r.failed, `${name}: ${JSON.stringify(r)}`);
		}
		const seen = await port.evaluate(() => document.cookie);
		assert.doesNotMatch(seen, /__Host-ided-|__Host-ided=[0-9a-f]{64}/);
		const echo = await port.evaluate(() => fetch('/echo').then((r) => r.json()));
		assert.doesNotMatch(JSON.stringify(echo.headers), /__Host-ided-port|__Host-ided=[0-9a-f]{64}/);
		await stillHers(page, main, d);
		// A jar that is too full is refused and breaks nothing.
		await port.evaluate((name) => {
			for (let i = 0; i < 12; i++) document.cookie = `c${i}=${'x'.repeat(3000)}; Domain=${name}; Path=/; Secure`;
		}, site);
		const full = await page.goto(`${main}/api/me`);
		assert.equal(full.status(), 431);
		await context.clearCookies({ name: /^c\d+$/ });
		await stillHers(page, main, d);
		await context.close();
	} finally { await d.stop(); }
});

test('from below /proxy/, where there is no other origin', { timeout: 300000 }, async () => {
	const d = await startPorts({ users: ['ann'], domain: false });
	try {
		const main = `https://localhost:${d.port}`;
		await serve(d, 'ann', 3000);
		const { context, page } = await logIn(main);
		for (const way of ['proxy', 'absproxy']) {
			const port = await context.newPage();
			await port.goto(`${main}/${way}/3000/page?html=${encodeURIComponent('<!doctype html><title>evil</title><body>evil')}`);
			assert.equal(await port.title(), 'evil');
			for (const name of Object.keys(attempts)) {
				const r = await attack(port, name, main);
				assert.doesNotMatch(r.got ?? '', hers, `${way} ${name}: ${JSON.stringify(r)}`);
				if (!['cookie', 'toss', 'redirect', 'redirect-post', 'dots', 'up', 'backslash', 'no-slash', 'logout', 'beacon'].includes(name)) assert.ok(r.failed, `${way} ${name}: ${JSON.stringify(r)}`);
			}
			assert.doesNotMatch(await port.evaluate(() => document.cookie), /__Host-ided=[0-9a-f]{64}/);
			// What it may: its own requests, its own worker, and that one no more.
			const own = await port.evaluate((w) => fetch(`/${w}/3000/echo`, { method: 'POST', body: 'x' }).then((r) => r.json()), way);
			assert.equal(own.bytes, 1);
			const inner = await port.evaluate((w) => navigator.serviceWorker.register(`/${w}/3000/page?type=text/javascript&html=${encodeURIComponent(
				'onmessage = (e) => fetch("/api/me").then((r) => r.text(), String).then((t) => e.source.postMessage(t)); onactivate = (e) => e.waitUntil(clients.claim());')}`,
			{ scope: `/${w}/3000/` }).then(async (r) => {
				await navigator.serviceWorker.ready;
				return new Promise((yes) => {
					navigator.serviceWorker.onmessage = (e) => yes(e.data);
					r.active.postMessage('go');
				});
			}), way);
			assert.doesNotMatch(inner, hers);
			await port.close();
		}
		await stillHers(page, main, d);
		await context.close();
	} finally { await d.stop(); }
});
