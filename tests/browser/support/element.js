// A page that does with matrix-js-sdk what Element does: calls without an invitee, twenty candidates ahead.
import * as sdk from 'matrix-js-sdk';

window.element = {
  log: [],
  calls: [],

  async start(options) {
    this.client = sdk.createClient({ iceCandidatePoolSize: 20, ...options });
    this.client.on('Call.incoming', (call) => this.watch(call, 'in'));
    const synced = new Promise((resolve) => this.client.once('sync', resolve));
    await this.client.startClient({ initialSyncLimit: 20 });
    await synced;
  },

  watch(call, direction) {
    this.calls.push(call);
    call.direction2 = direction;
    call.on('error', (error) => this.log.push(`${direction} error ${error.code}: ${error.message}`));
    call.on('state', (state) => this.log.push(`${direction} ${state}`));
    call.on('hangup', () => this.log.push(`${direction} hung up: ${call.hangupReason}`));
  },

  joined(room) {
    return this.client.getRoom(room)?.getJoinedMemberCount() ?? 0;
  },

  call(index = -1) {
    return this.calls.at(index);
  },

  async place(room, video, invitee) {
    // Element leaves the invitee out; other clients on the same engine set it.
    const call = invitee
      ? sdk.createNewMatrixCall(this.client, room, { invitee })
      : this.client.createCall(room);
    this.watch(call, 'out');
    await (video ? call.placeVideoCall() : call.placeVoiceCall());
    return call.callId;
  },

  state(index = -1) {
    const call = this.call(index);
    return call && { state: call.state, reason: call.hangupReason, type: call.type, id: call.callId, was: call.direction2 };
  },

  async inbound(index = -1) {
    const bytes = { audio: 0, video: 0 };
    const stats = await this.call(index)?.peerConn?.getStats();
    stats?.forEach((it) => {
      if (it.type === 'inbound-rtp') bytes[it.kind] += it.bytesReceived;
    });
    return bytes;
  },

  feeds() {
    return this.call().getRemoteFeeds().map((feed) => ({
      purpose: feed.purpose, audioMuted: feed.isAudioMuted(), videoMuted: feed.isVideoMuted(),
    }));
  },
};
