/** The service: every operation over one store, with the caches of one instance. */
import type { Service } from "./api.ts";
import { Acker } from "./ack.ts";
import { ApiKeys } from "./api-keys.ts";
import { OnceAppender } from "./append-once.ts";
import { Appender } from "./append.ts";
import { Attempts } from "./attempts.ts";
import { Bell } from "./bell.ts";
import { Browser } from "./browse.ts";
import { Catalog } from "./catalog.ts";
import { Choices } from "./choices.ts";
import { LeaseChanger } from "./change-leases.ts";
import { Claims } from "./claim.ts";
import { Cursors } from "./cursor.ts";
import { DeadLetterRoutes } from "./dead-letter-routes.ts";
import { DeadLetters } from "./dead-letter.ts";
import { Gauge } from "./depth.ts";
import type { Deps } from "./deps.ts";
import { DueTimers } from "./due.ts";
import { Eraser } from "./erase.ts";
import { FairLanes } from "./fair-lanes.ts";
import { Groups } from "./group-catalog.ts";
import { GroupKeeper } from "./group-keeper.ts";
import { ConsumerGroups } from "./groups.ts";
import { Exchanges } from "./exchanges.ts";
import { Janitor } from "./janitor.ts";
import { LaneChooser } from "./lane-choice.ts";
import { LaneKeeper } from "./lanes.ts";
import { LaneWriter } from "./lane-writer.ts";
import { Lives } from "./life.ts";
import { LogReader } from "./log.ts";
import { MoveTaskItems } from "./move-task-items.ts";
import { MoveTasks } from "./move-tasks.ts";
import { Moved } from "./moved.ts";
import { Promoter } from "./promoter.ts";
import { PromoterFence } from "./promoter-state.ts";
import { Publisher } from "./publish.ts";
import { Purger } from "./purge.ts";
import { Queues } from "./queues.ts";
import { Receiver } from "./receive.ts";
import { Redriver } from "./redrive.ts";
import { Requests } from "./requests.ts";
import { Routing } from "./routing.ts";
import { Schedules } from "./schedules.ts";
import { Seeker } from "./seek.ts";
import { Sender } from "./send.ts";
import { Sources } from "./sources.ts";
import { Starts } from "./starts.ts";
import { Tails } from "./tail.ts";
import { Timers } from "./timers.ts";
import { Visits } from "./visit.ts";

/** `bell`: shared by the services of one process, so that a send by one wakes the waits of another. */
export function createService(deps: Deps, bell: Bell = new Bell(deps)): Service {
  const catalog = new Catalog(deps);
  const groups = new Groups(deps);
  const routing = new Routing(deps, catalog);
  const choices = new Choices(deps);
  const tails = new Tails(deps);
  const log = new LogReader(deps);
  const appender = new Appender(deps, tails, deps.gather === undefined ? undefined : log);
  const cursors = new Cursors(deps);
  const once = new OnceAppender(deps, catalog, appender, log);
  const eraser = new Eraser(deps, cursors, log);
  const deadLetters = new DeadLetters(
    deps,
    catalog,
    groups,
    once,
    log,
    new DeadLetterRoutes(deps, routing, choices, log),
    eraser,
    bell,
  );
  const visits = new Visits(deps, cursors, new Claims(deps, routing, log), deadLetters);
  const gauge = new Gauge(deps, tails, cursors, log);
  const lanes = new LaneKeeper(deps, catalog, tails);
  const sources = new Sources(deps, catalog, groups);
  const queues = new Queues(deps, catalog, groups, sources, gauge, lanes);
  const due = new DueTimers(deps, new Promoter(deps, catalog, appender, log, bell));
  const timers = new Timers(deps, catalog, due, log);
  const purger = new Purger(
    deps,
    catalog,
    groups,
    tails,
    cursors,
    due,
    new PromoterFence(deps, appender),
  );
  const chooser = new LaneChooser(deps, lanes, new FairLanes(deps, tails, cursors, log));
  const starts = new Starts(deps, tails, log, timers);
  const consumers = new ConsumerGroups(
    deps,
    catalog,
    groups,
    sources,
    starts,
    cursors,
    gauge,
    new Seeker(deps, catalog, groups, starts, cursors, bell),
  );
  const writer = new LaneWriter(deps, catalog, appender, once, lanes, chooser);
  const sender = new Sender(deps, catalog, writer, new Requests(deps, tails), bell, timers);
  const exchanges = new Exchanges(deps, catalog, routing);
  const publisher = new Publisher(deps, catalog, routing, choices, sender);
  const receiver = new Receiver(
    deps,
    catalog,
    groups,
    visits,
    log,
    bell,
    due,
    new Attempts(deps, log),
  );
  const moved = new Moved();
  const acker = new Acker(deps, catalog, cursors, eraser, moved);
  const leases = new LeaseChanger(deps, catalog, bell, moved);
  const browser = new Browser(
    deps,
    catalog,
    groups,
    log,
    timers,
    starts,
    new Lives(deps, catalog, cursors, log),
  );
  const redriver = new Redriver(deps, catalog, cursors, visits, deadLetters, gauge);
  const moves = new MoveTasks(deps, catalog, sources, redriver, gauge, new MoveTaskItems(deps));
  const keys = new ApiKeys(deps);
  const keeper = new GroupKeeper(deps, catalog, groups);
  const schedules = new Schedules(deps, catalog, routing, sender, publisher);
  const janitor = new Janitor(
    deps,
    groups,
    sources,
    keeper,
    visits,
    gauge,
    lanes,
    deadLetters,
    due,
    schedules,
  );

  return {
    putQueue: (name, settings) => queues.put(name, settings),
    patchQueue: (name, settings) => queues.patch(name, settings),
    createQueue: (name, request) => queues.create(name, request),
    changeQueue: (name, decide) => queues.change(name, decide),
    getQueue: (name) => queues.get(name),
    describeQueue: (name, how) => queues.describe(name, how),
    listQueues: (request) => queues.list(request),
    deleteQueue: (name, how) => queues.delete(name, how),
    deadLetterSources: (name) => queues.deadLetterSources(name),
    purgeQueue: (name) => purger.purge(name),
    clearQueue: (name) => purger.clear(name),
    putGroup: (name, group, settings) => consumers.put(name, group, settings),
    getGroup: (name, group) => consumers.get(name, group),
    listGroups: (name) => consumers.list(name),
    deleteGroup: (name, group) => consumers.delete(name, group),
    seekGroup: (name, group, from) => consumers.seek(name, group, from),
    redrive: (name, request) => redriver.redrive(name, request),
    startMove: (name, request) => moves.start(name, request),
    listMoves: (name, limit) => moves.list(name, limit),
    cancelMove: (name, taskId) => moves.cancel(name, taskId),
    runMoves: (deadline, signal) => moves.run(deadline, signal),
    send: (name, messages, request) => sender.send(name, messages, request),
    receive: (name, request) => receiver.receive(name, request),
    ack: (name, receipts, options) => acker.ack(name, receipts, options),
    release: (name, receipts, request) => leases.release(name, receipts, request),
    extend: (name, receipts, request) => leases.extend(name, receipts, request),
    browse: (name, request) => browser.browse(name, request),
    lookUp: (name, id) => browser.lookUp(name, id),
    listScheduled: (name, request) => timers.list(name, request),
    cancelScheduled: (name, id) => timers.cancel(name, id),
    countScheduled: (name, max) => timers.count(name, max),
    putExchange: (name, settings) => exchanges.put(name, settings),
    getExchange: (name) => exchanges.get(name),
    listExchanges: (request) => exchanges.list(request),
    deleteExchange: (name) => exchanges.delete(name),
    putBinding: (name, id, settings) => exchanges.putBinding(name, id, settings),
    getBinding: (name, id) => exchanges.getBinding(name, id),
    listBindings: (name, request) => exchanges.listBindings(name, request),
    deleteBinding: (name, id) => exchanges.deleteBinding(name, id),
    publish: (name, messages, request) => publisher.publish(name, messages, request),
    putSchedule: (name, settings) => schedules.put(name, settings),
    getSchedule: (name) => schedules.get(name),
    listSchedules: (request) => schedules.list(request),
    deleteSchedule: (name) => schedules.delete(name),
    fireSchedules: (deadline) => schedules.tick(deadline),
    createKey: (request) => keys.create(request),
    listKeys: (request) => keys.list(request),
    deleteKey: (id) => keys.delete(id),
    authenticate: (secret) => keys.authenticate(secret),
    accessKey: (accessKeyId) => keys.accessKey(accessKeyId),
    runJanitor: (deadline) => janitor.run(deadline),
  };
}
