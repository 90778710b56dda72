// What /api/openapi.json promises, held against every answer of the API that a test
// gets: one that is described nowhere, or is not as it is described, is a failure.
import assert from 'node:assert/strict';

const kinds = (type) => (type ?? '').split(';')[0].trim();

export class Description {
	constructor(api, Ajv, formats) {
		this.api = api;
		this.ajv = new Ajv({ strict: false, allErrors: true });
		formats(this.ajv);
		this.ajv.addSchema(api, 'api');
		this.checks = new Map();
		// "/api/users/me" is not a user of that name: without a parameter first.
		this.paths = Object.keys(api.paths).sort((a, b) => a.includes('{') - b.includes('{'))
			.map((p) => [p, new RegExp(`^${p.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`)]);
	}

	// And the description itself, by the specification's own schema.
	static async of(api) {
		const [{ default: Ajv }, { default: formats }, { Validator }] = await Promise.all([
			import('ajv/dist/2020.js'), import('ajv-formats'), import('@seriousme/openapi-schema-validator')]);
		const r = await new Validator().validate(structuredClone(api));
		assert.ok(r.valid, `/api/openapi.json is no OpenAPI: ${JSON.stringify(r.errors)?.slice(0, 2000)}`);
		return new Description(api, Ajv, formats);
	}

	operation(method, url) {
		let [path] = url.split('?');
		try { path = decodeURI(path); } catch { /* it is one of nothing */ }
		const found = this.paths.find(([, re]) => re.test(path));
		return found && [found[0], this.api.paths[found[0]][method === 'HEAD' ? 'get' : method.toLowerCase()]];
	}

	// The pointer to what is said of an answer.
	row(method, url, status) {
		const [path, op] = this.operation(method, url) ?? [];
		if (op === undefined) {
			assert.ok([404, 405].includes(status), `${method} ${url} is described nowhere, and answered with ${status}`);
			return '/components/responses/Error';
		}
		if (status < 400) {
			// See Other or Found, whichever.
			const key = status === 302 ? 303 : status;
			assert.ok(op.responses[key], `${method} ${path}: an answer ${status} is not described`);
			return `/paths/${esc(path)}/${method === 'HEAD' ? 'get' : method.toLowerCase()}/responses/${key}`;
		}
		return '/components/responses/Error';
	}

	check({ method, url, status, headers, body }) {
		if (status === 204 && method === 'OPTIONS') return;
		const at = this.row(method, url, status);
		const type = kinds(headers['content-type']);
		const spec = at.split('/').slice(1).reduce((o, k) => o[unesc(k)], this.api);
		if (!spec.content) {
			assert.equal(body, '', `${method} ${url}: ${status} has a body`);
			return;
		}
		const media = Object.keys(spec.content).find((t) => kinds(t) === type);
		assert.ok(media, `${method} ${url}: ${status} is of type ${type}, which is not described`);
		if (type !== 'application/json' || method === 'HEAD') return;
		const ref = `api#${at}/content/${esc(media)}/schema`;
		if (!this.checks.has(ref)) this.checks.set(ref, this.ajv.compile({ $ref: ref }));
		const check = this.checks.get(ref);
		assert.ok(check(JSON.parse(body)), `${method} ${url}: ${status} is not as it is described: ` +
			`${JSON.stringify(check.errors).slice(0, 1500)}\n${body.slice(0, 1500)}`);
		// Each error has the status of its code.
		if (status >= 400) assert.notEqual(JSON.parse(body).error.message, '', `${method} ${url}: ${status} says nothing`);
	}
}

const esc = (s) => encodeURIComponent(s.replaceAll('~', '~0').replaceAll('/', '~1'));
const unesc = (s) => decodeURIComponent(s).replaceAll('~1', '/').replaceAll('~0', '~');

// The description is the same for all daemons of one build, and asked for when the
// first of them stops, so that nothing that a test counts is disturbed; until then
// answers wait.
let description;
export class Answers {
	constructor() { this.waiting = []; }

	add(answer) {
		if (!answer.url.startsWith('/api/')) return;
		if (description) description.check(answer);
		else this.waiting.push(answer);
	}

	async describe(fetch) {
		description ??= await Description.of(await fetch());
		for (const a of this.waiting.splice(0)) description.check(a);
		return description;
	}
}
