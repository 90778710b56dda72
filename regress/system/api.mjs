// The API as one user's program speaks it, over a connection that stays open; and
// numbers that a seed makes again.
import https from 'node:https';

export class Api {
	constructor(d, headers = {}) {
		this.d = d;
		this.headers = headers;
		this.renew();
	}

	// After what it spoke to was killed.
	renew() {
		this.agent?.destroy();
		this.agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	}

	async call(method, path, body, headers = {}) {
		const text = body === undefined ? undefined : JSON.stringify(body);
		const r = await this.d.request(method, `/api/${path}`, { agent: this.agent, body: text, headers: {
			accept: 'application/json', origin: this.d.origin, ...this.headers,
			...(text !== undefined ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } : {}), ...headers } });
		const json = r.body === '' ? null : r.json;
		return { status: r.status, data: json?.data, error: json?.error };
	}

	close() { this.agent.destroy(); }

	static async login(d, user, password) {
		return new Api(d, { cookie: await d.login(user, password) });
	}
}

export class Random {
	constructor(seed) {
		this.state = seed >>> 0;
	}

	below(n) {
		this.state = (Math.imul(this.state, 1103515245) + 12345) >>> 0;
		return (this.state >>> 8) % n;
	}

	of(list) { return list[this.below(list.length)]; }

	// One of { name: weight }.
	weighed(weights) {
		let n = this.below(Object.values(weights).reduce((a, b) => a + b));
		for (const [name, w] of Object.entries(weights)) if ((n -= w) < 0) return name;
		throw new Error('unreachable');
	}
}
