//! Who talks in which rooms.

use serde_json::{Value, json};

use crate::support::matrix::MatrixUser;
use crate::support::nova::{NovaUser, id_of};
use crate::support::socket::NovaClient;
use crate::support::world::World;

/// As many of each side.
const PEOPLE: usize = 4;

/// Somebody with a Nova account whose client stays connected as well as it can.
pub(crate) struct NovaPerson {
    pub(crate) user: NovaUser,
    pub(crate) client: NovaClient,
    /// Says things by REST, not by the socket.
    pub(crate) by_rest: bool,
}

/// The first message of a place, as both sides know it.
pub(crate) struct Opening {
    pub(crate) text: String,
    pub(crate) event: String,
    pub(crate) message: String,
}

/// A room and its conversation.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) room: String,
    pub(crate) conversation: String,
    pub(crate) opening: Opening,
    /// Who is there, by their places in the cast.
    pub(crate) matrix: Vec<usize>,
    pub(crate) nova: Vec<usize>,
}

/// Everybody.
pub(crate) struct Cast {
    pub(crate) world: World,
    pub(crate) matrix: Vec<MatrixUser>,
    pub(crate) nova: Vec<NovaPerson>,
    pub(crate) places: Vec<Place>,
    /// A small picture, and where the homeserver has it.
    pub(crate) png: Vec<u8>,
    pub(crate) picture: String,
    /// A Matrix client of the first Nova user, for the room that no Matrix user is in.
    own_client: MatrixUser,
}

impl Cast {
    /// Direct chats, two groups with everybody, made by either side, and a chat of two Nova users.
    pub(crate) async fn gather(world: World) -> Self {
        let (mut matrix, mut nova) = (Vec::new(), Vec::new());
        for n in 0..PEOPLE {
            matrix.push(world.matrix_user(&format!("elena{n}")).await);
            let user = world.nova_user(&format!("ana{n}")).await;
            let client = user.online().await;
            nova.push(NovaPerson {
                user,
                client,
                by_rest: n == PEOPLE - 1,
            });
        }
        let mut png = std::io::Cursor::new(Vec::new());
        let picture = image::RgbImage::new(20, 10);
        picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let png = png.into_inner();
        let upload = matrix[0]
            .api
            .upload("/_matrix/media/v3/upload", "image/png", png.clone());
        let picture = upload.await["content_uri"].as_str().unwrap().to_owned();
        let own_client = world.own_matrix_client(&nova[0].user).await;
        let mut cast = Self {
            world,
            matrix,
            nova,
            places: Vec::new(),
            png,
            picture,
            own_client,
        };
        cast.open_groups().await;
        for n in 0..PEOPLE {
            cast.open_direct(n).await;
        }
        let conversation = cast.nova[0].user.open_nova(&cast.nova[1].user).await;
        let room = cast.nova[0].user.room_of(&conversation).await;
        cast.own_client
            .sees_member(&room, &cast.nova[1].user.mxid, "join")
            .await;
        cast.open("nova", room, conversation, vec![], vec![0, 1]).await;
        cast
    }

    /// Somebody says the first word in a place: in Element in some, in Nova in the others. Everybody hears it.
    async fn open(&mut self, name: &str, room: String, conversation: String, matrix: Vec<usize>, nova: Vec<usize>) {
        let text = format!("the opening of {name}");
        let reader = matrix.first().map_or(&self.own_client, |n| &self.matrix[*n]);
        if matrix.is_empty() || self.places.len().is_multiple_of(2) {
            self.nova[nova[0]].user.say(&conversation, &text).await;
        } else {
            reader.say(&room, &text).await;
        }
        let event = reader.hears(&room, &text).await;
        let mut frame = Value::Null;
        for person in &nova {
            frame = self.nova[*person].client.hears(&text).await;
        }
        self.places.push(Place {
            name: name.to_owned(),
            room,
            conversation,
            opening: Opening {
                text,
                event: event["event_id"].as_str().unwrap().to_owned(),
                message: id_of(&frame),
            },
            matrix,
            nova,
        });
    }

    async fn open_direct(&mut self, n: usize) {
        let (user, matrix) = (&self.nova[n].user, &self.matrix[n]);
        let (room, conversation) = if n.is_multiple_of(2) {
            let room = matrix.create_dm(&user.mxid).await;
            matrix.sees_member(&room, &user.mxid, "join").await;
            let conversation = user.conversation_of(&room).await;
            (room, conversation)
        } else {
            let conversation = user.open(&matrix.id).await;
            let room = user.room_of(&conversation).await;
            matrix.accepts(&room).await;
            (room, conversation)
        };
        self.open(&format!("direct{n}"), room, conversation, vec![n], vec![n])
            .await;
    }

    async fn open_groups(&mut self) {
        let everybody: Vec<usize> = (0..PEOPLE).collect();
        let mut invited: Vec<String> = self.matrix.iter().map(|user| user.id.clone()).collect();
        invited.extend(self.nova[1..].iter().map(|person| person.user.id.to_string()));
        let invited: Vec<&str> = invited.iter().map(String::as_str).collect();
        let conversation = self.nova[0].user.create_group("Made in Nova", &invited).await;
        let room = self.nova[0].user.room_of(&conversation).await;
        self.settle("group-nova", room, conversation, &everybody).await;

        let mut invited: Vec<&str> = self.matrix[1..].iter().map(|user| user.id.as_str()).collect();
        invited.extend(self.nova.iter().map(|person| person.user.mxid.as_str()));
        let body = json!({ "preset": "private_chat", "name": "Made in Element", "invite": invited });
        let room = self.matrix[0].create_room(&body).await;
        let conversation = self.nova[0].user.conversation_of(&room).await;
        self.settle("group-element", room, conversation, &everybody).await;
    }

    /// Waits until everybody is in.
    async fn settle(&mut self, name: &str, room: String, conversation: String, everybody: &[usize]) {
        for user in &self.matrix {
            let joined = user.sees("the group", |seen| {
                Some(seen.invites.contains_key(&room)).filter(|invited| *invited || seen.rooms.contains_key(&room))
            });
            if joined.await {
                user.join(&room).await;
            }
        }
        for person in &self.nova {
            self.matrix[0].sees_member(&room, &person.user.mxid, "join").await;
            person.user.conversation_of(&room).await;
        }
        self.open(name, room, conversation, everybody.to_vec(), everybody.to_vec())
            .await;
    }

    /// Who said the first word in a place, as a Matrix id.
    pub(crate) fn opened(&self, n: usize) -> &str {
        let place = &self.places[n];
        match place.matrix.first() {
            Some(reader) if !n.is_multiple_of(2) => &self.matrix[*reader].id,
            _ => &self.nova[place.nova[0]].user.mxid,
        }
    }

    /// Somebody on the Matrix side who can read a place.
    pub(crate) fn reader(&self, place: &Place) -> &MatrixUser {
        place.matrix.first().map_or(&self.own_client, |n| &self.matrix[*n])
    }
}
