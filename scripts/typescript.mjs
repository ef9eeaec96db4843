/** To be imported first, by Node: makes it run TypeScript, in worker threads too, where `--import tsx` leaves Node 20 without. */
import { register } from 'tsx/esm/api';

register();
