// The listener of metrics: what it tells, in the form that Prometheus reads, and of whom
// it tells nothing.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { freePort, startDaemon, password, waitFor } from './daemon.mjs';

let d, port;

before(async () => {
	port = await freePort();
	d = await startDaemon({ users: ['ann', 'bob'], conf: `metrics on 127.0.0.1 port ${port}\naudit { store }` });
});
after(() => d?.stop());

const ask = (path, opts = {}) => new Promise((resolve, reject) => {
	http.request({ host: '127.0.0.1', port, path, agent: false, ...opts }, (res) => {
		let body = '';
		res.on('data', (b) => { body += b; });
		res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body }));
	}).on('error', reject).end();
});

// Every line is a comment or a sample of the family that was announced before it.
function parse(text) {
	const types = {}, values = {};
	assert.ok(text.endsWith('\n'));
	for (const line of text.trimEnd().split('\n')) {
		const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
		if (comment) {
			if (comment[1] === 'TYPE') {
				assert.ok(!(comment[2] in types), line);
				assert.match(comment[3], /^(counter|gauge|histogram)$/);
				types[comment[2]] = comment[3];
			}
			continue;
		}
		const m = /^([a-z_]+)(\{(?:[a-z]+="[^"\\\n]*",?)+\})? (\d+(?:\.\d+)?)$/.exec(line);
		assert.ok(m, line);
		assert.ok(m[1] in types || types[m[1].replace(/_(bucket|sum|count)$/, '')] === 'histogram', line);
		assert.ok(!(m[1] + (m[2] || '') in values), `twice: ${line}`);
		values[m[1] + (m[2] || '')] = Number(m[3]);
	}
	return values;
}
const figures = async () => parse((await ask('/metrics')).body);

test('what happens is counted, by class and status', { timeout: 60000 }, async () => {
	const first = await ask('/metrics');
	assert.equal(first.status, 200);
	assert.equal(first.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
	const was = parse(first.body);
	const cookie = await d.login('ann');
	await d.post('/login', { username: 'ann', password: `${password}x` });
	await d.request('GET', '/none');
	await d.request('GET', '/api/me', { headers: { cookie } });
	await d.request('GET', '/_static/style.css');
	await d.request('GET', '/ide/', { headers: { cookie } });
	const want = { 'ided_http_requests_total{class="page",status="3xx"}': 1, 'ided_http_requests_total{class="page",status="4xx"}': 2,
		'ided_http_requests_total{class="api",status="2xx"}': 1, 'ided_http_requests_total{class="static",status="2xx"}': 1,
		'ided_logins_total{result="ok"}': 1, 'ided_logins_total{result="failed"}': 1 };
	// One figure is seen when the worker has left, auth's when a second has passed.
	const now = await waitFor('all to be counted', async () => {
		const n = await figures();
		return n['ided_http_requests_total{class="ide",status="2xx"}'] >= 1 && n['ided_sandboxes'] === 1 &&
			Object.entries(want).every(([name, times]) => n[name] - was[name] >= times) && n;
	});
	const more = (name) => now[name] - was[name];
	for (const [name, times] of Object.entries(want)) assert.equal(more(name), times, name);
	assert.ok(more('ided_connections_total') >= 6);
	assert.ok(more('ided_audit_records_total') >= 2);
	assert.ok(more('ided_store_changes_total') >= 1);
	assert.equal(now['ided_up'], 1);
	assert.equal(now['ided_users{state="active"}'], 2);
	assert.ok(now['ided_sandboxes_memory_bytes'] > 1e6);
	assert.ok(now['ided_sandboxes_processes'] >= 1);
	assert.ok(now['ided_received_bytes_total'] > 0 && now['ided_sent_bytes_total'] > 0);
});

test('a histogram adds up', async () => {
	const v = await figures();
	for (const c of ['page', 'api', 'static', 'ide', 'port', 'service']) {
		const name = 'ided_http_request_duration_seconds';
		const buckets = Object.entries(v).filter(([k]) => k.startsWith(`${name}_bucket{class="${c}"`)).map(([, n]) => n);
		assert.equal(buckets.length, 11);
		for (let i = 1; i < buckets.length; i++) assert.ok(buckets[i] >= buckets[i - 1], c);
		assert.equal(buckets.at(-1), v[`${name}_count{class="${c}"}`]);
		const requests = Object.entries(v).filter(([k]) => k.startsWith(`ided_http_requests_total{class="${c}"`)).reduce((n, [, x]) => n + x, 0);
		assert.equal(requests, buckets.at(-1));
		assert.ok(buckets.at(-1) === 0 || v[`${name}_sum{class="${c}"}`] > 0);
	}
});

test('it names nobody, and nothing else is there', async () => {
	const { body } = await ask('/metrics');
	assert.doesNotMatch(body, /ann|bob|127\.0\.0\.1|\/home/);
	assert.ok(body.length < 30000);
	for (const path of ['/', '/login', '/ide/', '/api/me', '/_static/style.css', '/metrics/', '/metrics/x'])
		assert.equal((await ask(path)).status, 404, path);
	assert.equal((await ask('/healthz')).status, 200);
	assert.equal((await ask('/metrics', { method: 'POST' })).status, 405);
	// Nor is it anywhere else.
	const cookie = await d.login('ann');
	assert.equal((await d.request('GET', '/metrics', { headers: { cookie } })).status, 404);
});

test('many who ask at once cost one question, and without auth there is an answer', { timeout: 60000 }, async () => {
	const all = await Promise.all(Array.from({ length: 40 }, () => ask('/metrics')));
	for (const r of all) assert.equal(parse(r.body)['ided_up'], 1);
	// While it stands still, there are master's own.
	const [auth] = d.role('auth');
	process.kill(auth.pid, 'SIGSTOP');
	try {
		const v = await waitFor('an answer without it', async () => { const n = await figures(); return n['ided_up'] === 0 && n; }, 20000);
		assert.ok(!('ided_sessions' in v));
		assert.ok(v['ided_connections_total'] > 0);
	} finally {
		process.kill(auth.pid, 'SIGCONT');
	}
	await waitFor('it to be back', async () => (await figures())['ided_up'] === 1);
});

test('what a rate limit refuses', { timeout: 60000 }, async () => {
	d.opts.ratelimit = 'web 20 per 1h';
	d.write();
	d.ok(['reload']);
	const said = [];
	for (let i = 0; i < 30; i++) said.push((await d.request('GET', '/login', { localAddress: '127.0.0.9' })).status);
	const n = said.filter((s) => s === 429).length;
	assert.ok(n >= 5, said.join(' '));
	assert.equal((await waitFor('them to be counted', async () => {
		const v = await figures();
		return v['ided_http_rate_limited_total'] >= n && v;
	}))['ided_http_rate_limited_total'], n);
});

test('it comes and goes with a reload', { timeout: 60000 }, async () => {
	const other = await freePort();
	d.write(`metrics on 127.0.0.1 port ${other}`);
	d.ok(['reload']);
	await assert.rejects(ask('/metrics'));
	assert.equal((await ask('/metrics', { port: other })).status, 200);
});
