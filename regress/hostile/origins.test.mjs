// Who is let in where: each name that a connection can be made for, with each that its
// request can ask for, and each credential that a browser could hold; and each page that
// could ask, over HTTP/1.1 and HTTP/2, to read, to write and to open a WebSocket.  What
// has to come of it is said by a rule of its own here, for all combinations.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import http2 from 'node:http2';
import { freePort, waitFor } from '../system/daemon.mjs';
import { ask, cookiesOf, serve, signOn, site, startPorts } from '../system/port-daemon.mjs';
import { each, sources, status } from './backend.mjs';

const html = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };
const view = `${'0'.repeat(52)}.${site}`; // a webview's
const source = sources(21);
let d, service, seen = [];
let hosts; // by what they are
let cookies;

// A service of the site's own: what reached it, and a WebSocket that says the same.
function startService(port) {
	const say = (req) => { seen.push(req.headers); return JSON.stringify({ url: req.url, headers: req.headers }); };
	const s = http.createServer((req, res) => res.setHeader('content-type', 'application/json').end(say(req)));
	s.on('upgrade', (req, c) => {
		c.on('error', () => {});
		const accept = crypto.createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
		say(req);
		c.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nX-Cookie: ${req.headers.cookie}\r\n\r\n`);
		c.on('data', () => c.end());
	});
	return new Promise((r) => { s.listen(port, '127.0.0.1', () => r(s)); });
}

before(async () => {
	const port = await freePort();
	service = await startService(port);
	d = await startPorts({ proxy: 'share users', prefork: 'spare 16', conf: `location "/x/" { proxy to 127.0.0.1 port ${port} }` });
	const [ann, bob] = [await d.login('ann'), await d.login('bob')];
	for (const p of [3000, 3001]) await serve(d, 'ann', p);
	const shared = new URL(JSON.parse(d.ok(['-j', 'port', 'share', 'ann', '3001'])).address).hostname;
	hosts = { main: site, port: `3000.${site}`, other: `3001.${site}`, shared, view, nobody: `x.${site}` };
	// The way of a visitor, from the first page to the cookie.
	const first = await ask(d, shared, 'GET', '/', { headers: html });
	const there = new URL(first.headers.location);
	const code = await ask(d, site, 'GET', there.pathname + there.search, { headers: { ...html, cookie: bob } });
	const back = new URL(code.headers.location);
	const last = await ask(d, shared, 'GET', back.pathname + back.search, { headers: { ...html, cookie: `__Host-ided-enter=${cookiesOf(first)['__Host-ided-enter']}` } });
	const [annPort, annOther] = [(await signOn(d, ann, 3000)).cookie, (await signOn(d, ann, 3001)).cookie];
	cookies = {
		none: '', ann, bob, annPort, annOther, visitor: `__Host-ided-port=${cookiesOf(last)['__Host-ided-port']}`,
		'the session as a port': ann.replace('__Host-ided=', '__Host-ided-port='), "the port's as a session": annPort.replace('__Host-ided-port=', '__Host-ided='),
		both: `${ann}; ${annPort}`, 'twice': `${ann}; ${ann}; ${annPort}; ${annPort}`,
	};
}, { timeout: 120000 });
after(async () => { service?.closeAllConnections(); service?.close(); await d?.stop(); });

// Which of the credentials opens which of the names.
const opens = { main: ['ann', 'bob', 'both'], port: ['annPort', 'both'], other: ['annOther'], shared: ['visitor'], view: [], nobody: [] };

// A request over HTTP/1.1 on a connection of its own: status and what the program saw.
async function over1(sni, host, { method = 'GET', cookie = '', origin, websocket = false, more = {} }) {
	const s = await d.raw({ servername: sni, localAddress: source() });
	const headers = { ...(cookie && { Cookie: cookie }), ...(origin !== undefined && { Origin: origin }), ...more,
		...(websocket ? { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' } :
			{ Connection: 'close', ...(method !== 'GET' && { 'Content-Length': 0 }) }) };
	return new Promise((resolve) => {
		let out = '';
		const done = () => { clearTimeout(t); s.destroy(); resolve({ status: Number(out.slice(9, 12)), out }); };
		const t = setTimeout(done, 15000);
		s.on('data', (b) => { out += b.toString('latin1'); if (websocket && out.includes('\r\n\r\n')) done(); });
		s.on('error', done);
		s.on('close', done);
		s.write(`${method} /x/y HTTP/1.1\r\nHost: ${host}:${d.port}\r\nAccept: */*\r\n${Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`);
	});
}

// The same over HTTP/2, a WebSocket by RFC 8441.
function over2(sni, host, { method = 'GET', cookie = '', origin, websocket = false, more = {} }) {
	return new Promise((resolve) => {
		const c = http2.connect(`https://127.0.0.1:${d.port}`, { servername: sni, rejectUnauthorized: false });
		let out = '', got = 0;
		const done = () => { clearTimeout(t); c.destroy(); resolve({ status: got, out }); };
		const t = setTimeout(done, 15000);
		c.on('error', done);
		c.once('remoteSettings', () => {
			const r = c.request({ ':method': websocket ? 'CONNECT' : method, ':path': '/x/y', ':authority': `${host}:${d.port}`, accept: '*/*', ...more,
				...(websocket && { ':protocol': 'websocket', 'sec-websocket-version': '13' }), ...(cookie && { cookie }), ...(origin !== undefined && { origin }) },
			{ endStream: !websocket });
			r.on('response', (h) => {
				got = websocket && h[':status'] === 200 ? 101 : h[':status'];
				out += JSON.stringify(h);
				if (websocket) done();
			});
			r.on('data', (b) => { out += b; });
			r.on('error', done);
			r.on('close', done);
		});
	});
}

// No program has seen what is ided's, whatever was asked.
function nothingOfOurs(r) {
	assert.doesNotMatch(r.out.replace(/set-cookie: [^\r]*\r\n/gi, ''), /__Host-ided/);
	assert.ok(!seen.some((h) => /__Host-ided/.test(JSON.stringify(h))));
	seen = [];
}

test('names and credentials: a connection is for one name, and each name has its own', { timeout: 120000 }, async (t) => {
	const all = [];
	for (const host of Object.keys(hosts))
		for (const sni of ['', ...Object.keys(hosts)])
			for (const who of Object.keys(cookies)) all.push({ host, sni, who });
	const wrong = [];
	let accepted = 0;
	await each(all, async ({ host, sni, who }) => {
		const r = await over1(hosts[sni] ?? '', hosts[host], { cookie: cookies[who] });
		const want = (sni !== '' && sni !== host) || host === 'nobody' ? [421] :
			host === 'view' ? [404] :
				who === 'twice' ? [400] :
					opens[host].includes(who) ? [200] : [401];
		if (!want.includes(r.status)) wrong.push(`name ${sni || 'none'}, host ${host}, cookie ${who}: ${r.status} and not ${want}`);
		if (r.status === 200) accepted++;
		nothingOfOurs(r);
	}, 12);
	assert.deepEqual(wrong, []);
	t.diagnostic(`${all.length} cases, ${accepted} accepted`);
	assert.equal(accepted, 2 * Object.values(opens).flat().length, 'those that are to be are');
});

test('pages: what writes and what opens a WebSocket comes from where it may', { timeout: 180000 }, async (t) => {
	const own = { main: 'ann', port: 'annPort', shared: 'visitor' };
	const at = (name, port = d.port) => `https://${name}:${port}`;
	// Who may ask whom.
	const origins = (host) => ({
		itself: at(hosts[host]), 'itself, in capitals': at(hosts[host].toUpperCase()), main: at(site), port: at(hosts.port), other: at(hosts.other), shared: at(hosts.shared), view: at(view),
		none: undefined, null: 'null', empty: '', 'no port of TCP': `https://${hosts[host]}`, 'another port of TCP': at(hosts[host], 1), 'plain HTTP': `http://${hosts[host]}:${d.port}`,
		'a port at another port of TCP': at(hosts.other, 1), 'a port over plain HTTP': `http://${hosts.other}:${d.port}`, 'no port that may be': at(`65536.${site}`), nobody: at(hosts.nobody),
		evil: 'https://evil.example', 'ours before evil': `https://${hosts[host]}.evil.example:${d.port}`, 'ours behind evil': at(`evil${hosts[host]}`), 'a name below': at(`x.${hosts[host]}`),
		'ours as a user': `https://${hosts[host]}:${d.port}@evil.example`, 'a path': `${at(hosts[host])}/`, 'a path of evil': `https://evil.example/${at(hosts[host])}`,
		two: `${at(hosts[host])} https://evil.example`, 'a list': `${at(hosts[host])}, https://evil.example`, file: 'file://', extension: 'chrome-extension://abcdef', address: at('127.0.0.1'),
	});
	const allowed = { main: ['itself', 'itself, in capitals', 'main'], port: ['itself', 'itself, in capitals', 'port', 'other'], shared: ['itself', 'itself, in capitals', 'shared'] };
	const all = [];
	for (const host of Object.keys(own))
		for (const [page, origin] of Object.entries(origins(host)))
			for (const [kind, protocol] of [['POST', 1], ['GET', 1], ['WebSocket', 1], ['DELETE', 2], ['WebSocket', 2]])
				all.push({ host, page, origin, kind, protocol });
	const wrong = [];
	let accepted = 0;
	await each(all, async ({ host, page, origin, kind, protocol }) => {
		const websocket = kind === 'WebSocket';
		const o = { cookie: cookies[own[host]], origin, websocket, method: websocket ? 'GET' : kind };
		const r = await (protocol === 1 ? over1 : over2)(hosts[host], hosts[host], o);
		const yes = websocket ? 101 : 200;
		// To read is anybody's: a browser shows no page what it may not see.
		const want = kind === 'GET' || allowed[host].includes(page) ? yes : 403;
		if (r.status !== want) wrong.push(`HTTP/${protocol} ${kind} to ${host} by ${page}: ${r.status} and not ${want}`);
		if (r.status === yes) accepted++;
		nothingOfOurs(r);
	}, 12);
	assert.deepEqual(wrong, []);
	t.diagnostic(`${all.length} cases, ${accepted} accepted`);
});

test('what browsers say of a page counts as well; and without the credential nobody gets further', { timeout: 120000 }, async (t) => {
	const all = [];
	for (const host of ['main', 'port', 'shared'])
		for (const kind of ['POST', 'WebSocket'])
			for (const site_ of ['same-origin', 'same-site', 'cross-site', 'none', 'nonsense'])
				for (const who of ['own', 'none', 'bob', 'annOther']) all.push({ host, kind, site: site_, who });
	const own = { main: 'ann', port: 'annPort', shared: 'visitor' };
	const wrong = [];
	await each(all, async ({ host, kind, site: said, who }) => {
		const websocket = kind === 'WebSocket';
		const r = await over1(hosts[host], hosts[host], { cookie: cookies[who === 'own' ? own[host] : who], websocket, method: websocket ? 'GET' : kind, more: { 'Sec-Fetch-Site': said } });
		const in_ = opens[host].includes(who === 'own' ? own[host] : who);
		// Who opens something by hand is nobody's page; where there is a cookie that is not enough for ided's own.
		const page = said === 'same-origin' || (said === 'none' && (host !== 'main' || who === 'none'));
		const want = page ? (in_ ? (websocket ? 101 : 200) : 401) : 403;
		if (r.status !== want) wrong.push(`${kind} to ${host} as ${who}, ${said}: ${r.status} and not ${want}`);
		nothingOfOurs(r);
	}, 12);
	assert.deepEqual(wrong, []);
	t.diagnostic(`${all.length} cases`);
});

test('no worker crashed over all of it', async () => {
	await waitFor('workers to end', () => status(d).workers <= status(d).spare + 2);
	assert.equal(status(d).crashes, 0);
});
