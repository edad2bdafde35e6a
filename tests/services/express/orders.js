// Orders in Redis behind a token in the SOAP header, with Express.
'use strict';
const { randomUUID } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const express = require('express');
const redis = require('redis');
const soap = require('soap');

const database = redis.createClient({ url: `redis://${process.env.REDIS}` });
const tokens = new Set();

function guard(headers) {
    if (!headers || !tokens.has(headers.token)) throw refusal('Client.Authentication', 'log in first');
}

function refusal(code, reason) {
    return { Fault: { faultcode: `soap:${code}`, faultstring: reason } };
}

async function order(id) {
    const { number, item } = await database.hGetAll(`order:${id}`);
    if (number === undefined) throw refusal('Client', `no order ${id}`);
    return { id, number, item };
}

const operations = {
    Login() {
        const token = randomUUID();
        tokens.add(token);
        return { token };
    },
    async Create({ number, item }, _, headers) {
        guard(headers);
        if (!await database.sAdd('numbers', number)) throw refusal('Client', `order ${number} was seen`);
        const id = String(await database.incr('orders'));
        await database.hSet(`order:${id}`, { number, item });
        await database.lPush('open', id);
        return { id, number };
    },
    async Read({ id }, _, headers) {
        guard(headers);
        return await order(id);
    },
    async Search({ state }, _, headers) {
        guard(headers);
        const ids = await database.lRange(state, 0, 9);
        return { state, order: await Promise.all(ids.map(order)) };
    },
};

async function main() {
    await database.connect();
    const app = express();
    app.get('/health', (_, answer) => answer.send('ok'));
    const wsdl = readFileSync(join(__dirname, 'orders.wsdl'), 'utf8');
    soap.listen(app, '/soap', { Orders: { Orders: operations } }, wsdl);
    const server = app.listen(Number(process.env.PORT), '127.0.0.1');
    server.keepAliveTimeout = 60_000;
}

main();
