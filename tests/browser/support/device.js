// A device of a Nova user that does exactly what a test wants: the frames of docs/clients.md, and one RTCPeerConnection.
window.device = {
  frames: [],
  waiting: new Map(),
  call: null,
  /** Whether it answers when the other side asks for a change. */
  answersChanges: true,

  async start(url) {
    this.url = url;
    const since = this.cursor ? `&since=${this.cursor}` : '';
    this.socket = new WebSocket(url + since);
    this.socket.onmessage = ({ data }) => this.hear(JSON.parse(data));
    await new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onerror = () => reject(new Error('the socket does not open'));
    });
    // What is answered proves that the bridge knows of this socket.
    this.socket.send('{"type":"ping"}');
    await new Promise((resolve) => { this.ready = resolve; });
  },

  stop() {
    this.socket.close();
  },

  hear(frame) {
    if (frame.type === 'pong') return this.ready();
    if (frame.type === 'ack' || frame.type === 'error') return this.waiting.get(frame.request_id)?.(frame);
    if (frame.stream_id) this.cursor = frame.stream_id;
    this.frames.push({ ...frame, heard: Date.now() });
    if (frame.call_id && frame.call_id === this.call?.id) this.act(frame);
    return undefined;
  },

  /** What the bridge answers, an error too. */
  request(frame) {
    const id = crypto.randomUUID();
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.socket.send(JSON.stringify({ ...frame, request_id: id }));
    });
  },

  async begin({ video = false, shape } = {}) {
    const pc = new RTCPeerConnection();
    const call = { pc, id: null, found: [], early: [] };
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video });
    for (const track of media.getTracks()) {
      if (shape === 'streamless') pc.addTrack(track);
      else if (shape === 'receiving') pc.addTransceiver(track.kind, { direction: 'recvonly' });
      else pc.addTrack(track, media);
    }
    pc.onicecandidate = ({ candidate }) => {
      call.found.push(candidate);
      this.tellCandidates();
    };
    this.call = call;
    return call;
  },

  tellCandidates() {
    const { call } = this;
    if (!call.told) return;
    for (const candidate of call.found.splice(0)) {
      const it = candidate ?? { candidate: '', sdpMid: '0', sdpMLineIndex: 0 };
      this.request({
        type: 'call.ice', call_id: call.id, candidate: it.candidate, sdp_mid: it.sdpMid, sdp_mline_index: it.sdpMLineIndex,
      });
    }
  },

  /** Calls somebody. Returns the bridge's answer. */
  async place(conversation, options = {}) {
    const call = await this.begin(options);
    await call.pc.setLocalDescription();
    const { type, sdp } = call.pc.localDescription;
    const answer = await this.request({
      type: 'call.initiate', conversation_id: conversation, offer: { type, sdp }, is_video: options.video ?? false,
    });
    if (answer.type === 'error') return answer;
    call.id = answer.call_id;
    call.told = true;
    this.tellCandidates();
    for (const frame of this.frames.filter((it) => it.call_id === call.id)) this.act(frame);
    return answer;
  },

  ringing() {
    const over = ['call.answered_elsewhere', 'call.ended', 'call.missed', 'call.rejected'];
    const ended = new Set(this.frames.filter((it) => over.includes(it.type)).map((it) => it.call_id));
    return this.frames.filter((it) => it.type === 'call.initiated' && !ended.has(it.call_id)).map((it) => it.call_id).at(-1) ?? null;
  },

  /** Accepts a call. `gathered`: with all candidates found before, which then leave together with the answer. */
  async accept(id, options = {}) {
    const { offer } = this.frames.find((it) => it.type === 'call.initiated' && it.call_id === id);
    const call = await this.begin(options);
    call.id = id;
    await call.pc.setRemoteDescription(offer);
    for (const frame of this.frames.filter((it) => it.call_id === id && it.type === 'call.ice_candidate')) await this.act(frame);
    await call.pc.setLocalDescription();
    if (options.gathered) {
      await new Promise((resolve) => {
        const look = () => call.pc.iceGatheringState === 'complete' && resolve();
        call.pc.addEventListener('icegatheringstatechange', look);
        look();
      });
    }
    return () => {
      const { type, sdp } = call.pc.localDescription;
      const answer = this.request({ type: 'call.answer', call_id: id, answer: { type, sdp } });
      call.told = true;
      this.tellCandidates();
      return answer;
    };
  },

  async act(frame) {
    const { pc, early } = this.call;
    const apply = async (description) => {
      await pc.setRemoteDescription(description);
      for (const candidate of early.splice(0)) await pc.addIceCandidate(candidate);
    };
    switch (frame.type) {
      case 'call.ice_candidate': {
        const candidate = { candidate: frame.candidate, sdpMid: frame.sdp_mid, sdpMLineIndex: frame.sdp_mline_index };
        if (!frame.candidate) return;
        if (pc.remoteDescription) await pc.addIceCandidate(candidate);
        else early.push(candidate);
        return;
      }
      case 'call.answered':
        if (pc.signalingState === 'have-local-offer') await apply(frame.answer);
        return;
      case 'call.negotiate':
        if (frame.description.type === 'answer' || this.answersChanges) await apply(frame.description);
        if (frame.description.type === 'offer' && this.answersChanges) {
          await pc.setLocalDescription();
          await this.negotiate();
        }
        return;
      default:
    }
  },

  negotiate() {
    const { pc, id } = this.call;
    const { type, sdp } = pc.localDescription;
    return this.request({ type: 'call.negotiate', call_id: id, description: { type, sdp } });
  },

  async inbound() {
    const bytes = { audio: 0, video: 0 };
    (await this.call.pc.getStats()).forEach((it) => {
      if (it.type === 'inbound-rtp') bytes[it.kind] += it.bytesReceived;
    });
    return bytes;
  },
};
